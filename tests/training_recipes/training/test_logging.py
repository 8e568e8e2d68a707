"""What a training writes down beside its CSV: trackers, the time it takes, and a missing package's name."""

import pytest
from accelerate import Accelerator

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.training import logging as fit_log
from echo_augment.training_recipes.training.logging import check_trackers, time_text, track


class Tracker:
    def __init__(self, name):
        self.name, self.lines = name, []

    def log(self, values, step=None):
        self.lines.append((values, step))


def test_each_tracker_gets_the_step_in_its_own_way():
    accelerator = Accelerator(cpu=True)
    accelerator.trackers = [Tracker("tensorboard"), Tracker("wandb")]
    track(accelerator, "mafe", 40, {"loss": 0.5})
    board, wandb = (tracker.lines for tracker in accelerator.trackers)
    assert board == [({"mafe/loss": 0.5}, 40)] and wandb == [({"mafe/loss": 0.5, "mafe/step": 40}, None)]


def test_tensorboard_files_hold_the_losses(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accelerator = Accelerator(cpu=True, log_with="tensorboard", project_dir=tmp_path)
    accelerator.init_trackers("logs")
    for step in (20, 40):
        track(accelerator, "codec", step, {"loss": 1 / step})
    accelerator.end_training()
    events = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert [(line.step, round(line.value, 4)) for line in events.Scalars("codec/loss")] == [(20, 0.05), (40, 0.025)]


def test_a_missing_tracker_names_its_extra(monkeypatch):
    monkeypatch.setattr(fit_log, "find_spec", lambda name: None)
    with pytest.raises(EchoAugmentError, match=r"wandb is not installed.*echo-augment\[wandb\]"):
        check_trackers(("wandb",))
    check_trackers(())


@pytest.mark.parametrize(
    ("seconds", "text"), [(44.6, "45 s"), (700, "12 min"), (12_240, "3.4 h"), (180_000, "2.1 days")]
)
def test_durations_read_well(seconds, text):
    assert time_text(seconds) == text
