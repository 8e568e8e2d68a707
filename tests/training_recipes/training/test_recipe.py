"""What trainings of all tasks share: which hearts they know, how long they go, and that each is done once."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes.training import ef_trainer, result

from echo_augment.augmentor.data import VideoInfo
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.training.recipe import Pace, choose_videos, train_once
from echo_augment.training_recipes.training.run import TrainingResult
from echo_augment.training_recipes.training.settings import TrainerSettings

TRAIN = [VideoInfo(f"T{k}", Path(f"T{k}.avi")) for k in range(20)]
VAL = [VideoInfo(f"V{k}", Path(f"V{k}.avi")) for k in range(10)]


@dataclass
class Keyed:
    """A run that is told by its name."""

    name: str
    trainer: TrainerSettings = field(default_factory=ef_trainer)
    device: str = "cpu"
    result = TrainingResult

    def key(self):
        return self.name

    def to_json(self):
        return {}

    def videos(self):
        return []


def run(**changes):
    settings = {"labels": 4, "seed": 3, "spec": {}, "val_at_least": 2, "unlabelled": None}
    return SimpleNamespace(**(settings | changes))


def test_hearts_are_labelled_or_unlabelled_and_nested_over_the_number_of_labels():
    few, more = choose_videos(run(), TRAIN, VAL), choose_videos(run(labels=8), TRAIN, VAL)
    assert len(few.labelled) == 4 and few.labelled == more.labelled[:4]
    assert sorted(few.labelled + few.unlabelled) == sorted(row.name for row in TRAIN)
    assert choose_videos(run(unlabelled=3), TRAIN, VAL).unlabelled == few.unlabelled[:3]
    assert choose_videos(run(seed=4), TRAIN, VAL).labelled != few.labelled
    assert all(TRAIN[few.places[name]].name == name for name in few.labelled)


def test_weights_are_selected_by_val_in_proportion_to_the_run_s_labels_whatever_the_arm_knows():
    assert [len(choose_videos(run(labels=n), TRAIN, VAL).judged) for n in (1, 4, 10, "all")] == [2, 2, 5, 10]
    full = choose_videos(run(spec={"labels": "all"}), TRAIN, VAL)
    assert len(full.labelled) == 20 and full.judged == choose_videos(run(), TRAIN, VAL).judged
    assert full.judged == sorted(full.judged)


def test_a_recipe_counts_in_steps_or_in_epochs_of_whole_batches():
    epochs, steps = ef_trainer(batch_size=8, steps=None, epochs=3), ef_trainer(batch_size=8, steps=50)
    assert Pace.of(epochs, 20) == Pace(8, 2, 6)
    assert Pace.of(steps, 20) == Pace(8, 2, 50)
    assert Pace.of(epochs, 5) == Pace(5, 1, 3)


def test_a_finished_training_is_read_and_another_one_refused(tmp_path):
    trained = []

    def train(folder, accelerator):
        assert accelerator.is_main_process
        trained.append(folder)
        (folder / "fit.ckpt").write_bytes(b"state")
        return result(key="a", seconds=1.5)

    done = train_once(Keyed("a"), tmp_path, train, TrainingResult)
    assert done == train_once(Keyed("a"), tmp_path, train, TrainingResult) == result(key="a", seconds=1.5)
    assert trained == [tmp_path] and not (tmp_path / "fit.ckpt").exists()
    with pytest.raises(EchoAugmentError, match="holds a training with other settings"):
        train_once(Keyed("b"), tmp_path, train, TrainingResult)
