"""What a training writes down beside its CSV: trackers, the time it takes, and a missing package's name."""

import pytest
import torch
from accelerate import Accelerator

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.training import logging as fit_log
from echo_augment.training_recipes.training.logging import CsvLog, TrainingLog, check_trackers, track


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


def test_means_are_told_once_an_interval_and_at_the_end(tmp_path):
    log = TrainingLog(
        tmp_path / "t.csv", Accelerator(cpu=True), steps=5, done=0, every=2, progress=False, announce=False
    )
    with log:
        found = []
        for step in range(1, 6):
            log.add(step, {"loss": torch.tensor(float(step))})
            found.append(log.write(step, lr=0.1, seconds=1.0) if log.due(step) else None)
    assert found == [None, {"loss": 1.5}, None, {"loss": 3.5}, {"loss": 5.0}]
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "step,loss,lr,s",
        "2,1.5,0.1,1",
        "4,3.5,0.1,1",
        "5,5,0.1,1",
    ]


def test_lines_after_the_checkpoint_are_dropped(tmp_path):
    (tmp_path / "t.csv").write_text("step,loss\n2,1\n4,2\n6,3\n")
    CsvLog(tmp_path / "t.csv", 4, enabled=True).write(5, {"loss": 9})
    assert (tmp_path / "t.csv").read_text().splitlines() == ["step,loss", "2,1", "4,2", "5,9"]
