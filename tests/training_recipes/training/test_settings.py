"""What trainings may be told: each value out of its range is named, and a recipe is written without what it lacks."""

import pytest
from fakes.training import REAL, ef_trainer, segmentation_trainer, tiny

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.dataset import DataSettings
from echo_augment.training_recipes.common.settings import object_from
from echo_augment.training_recipes.training.settings import (
    EFTrainingSettings,
    OptimizerSettings,
    ScheduleSettings,
    TrainerSettings,
    TrainingSettings,
    check_unlabelled,
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "adam", "lr": 1}, "optimizer.name must be one of adamw, sgd, got 'adam'. Did you mean adamw"),
        ({"name": "sgd", "lr": 0}, "optimizer.lr must be above 0, got 0"),
        ({"name": "sgd", "lr": float("nan")}, "optimizer.lr must be above 0, got nan"),
        ({"name": "sgd", "lr": 1, "momentum": 1.1}, r"optimizer.momentum must be in \[0, 1\], got 1.1"),
        (
            {"name": "adamw", "lr": 1, "momentum": 0.9},
            "optimizer.momentum is for sgd, got adamw. Leave one of them out",
        ),
        ({"name": "adamw", "lr": 1, "weight_decay": -1}, "optimizer.weight_decay must be at least 0, got -1"),
    ],
)
def test_an_optimiser_out_of_range_is_named(given, message):
    with pytest.raises(EchoAugmentError, match=rf"trainer\.{message}"):
        OptimizerSettings(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "linear"}, "schedule.name must be one of cosine, step, got 'linear'"),
        ({"name": "cosine"}, "schedule.warmup must be a whole number of at least 0, got None"),
        ({"name": "cosine", "warmup": 1.5}, "schedule.warmup must be a whole number of at least 0, got 1.5"),
        ({"name": "step", "factor": 0.1}, "schedule.every_epochs must be a whole number of at least 1, got None"),
        ({"name": "step", "every_epochs": 15, "factor": 10}, r"schedule.factor must be in \[0, 1\], got 10"),
    ],
)
def test_a_schedule_names_what_its_kind_needs(given, message):
    with pytest.raises(EchoAugmentError, match=rf"trainer\.{message}"):
        ScheduleSettings(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": None}, "trainer has neither steps nor epochs. Give trainer.steps=NUMBER"),
        ({"steps": 0}, "trainer.steps must be a whole number of at least 1, got 0"),
        ({"batch_size": 0}, "trainer.batch_size must be a whole number of at least 1, got 0"),
        ({"workers": -1}, "trainer.workers must be a whole number of at least 0, got -1"),
        ({"clip_norm": -1}, "trainer.clip_norm must be at least 0, got -1"),
        ({"memory_mb": -1}, "trainer.memory_mb must be at least 0, got -1"),
        ({"pad": -1}, "trainer.pad must be a whole number of at least 0, got -1"),
        ({"period": 0}, "trainer.period must be a whole number of at least 1, got 0"),
        ({"validate_every": True}, "trainer.validate_every must be a whole number of at least 1, got True"),
        ({"selection": "last"}, "selection must be one of smallest, one_se, got 'last'"),
        ({"precision": "fp16"}, "trainer.precision must be one of auto, bf16, fp32, got 'fp16'. Did you mean"),
    ],
)
def test_a_recipe_out_of_range_is_named(given, message):
    with pytest.raises(EchoAugmentError, match=message):
        ef_trainer(**given)


def test_a_recipe_counts_in_epochs_where_it_has_no_steps():
    assert ef_trainer(steps=None, epochs=3).epochs == 3


@pytest.mark.parametrize("trainer", [ef_trainer(), segmentation_trainer()], ids=["clips", "frames"])
def test_a_recipe_is_written_without_what_it_has_no_use_for_and_read_back(trainer):
    written = trainer.to_json()
    assert ("length" in written) == (trainer.length is not None) == ("test_clips" in written)
    assert written["optimizer"] == {"name": "adamw", "lr": 3e-3, "weight_decay": 0.01}
    assert written["schedule"] == {"name": "cosine", "warmup": 2}
    assert object_from(written, TrainerSettings) == trainer


def job(kind=EFTrainingSettings, **changes):
    data = DataSettings(name="echonet", root="x")
    return kind(out="y", data=data, model=tiny(), trainer=ef_trainer(), **{"arm": {"real": REAL}, **changes})


@pytest.mark.parametrize("kind", [EFTrainingSettings, TrainingSettings])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": "half"}, "labels must be a number of videos, a share or 'all', got 'half'"),
        ({"labels": 1.0}, "labels=1.0 could mean one video or all"),
        ({"val_at_least": 0}, "val_at_least must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"device": "gpu"}, "device must be auto, cpu, cuda, cuda:0 or mps, got 'gpu'"),
        ({"arm": {}}, "this job trains one arm, got none. Give arm=NAME"),
        ({"arm": {"real": REAL, "oracle": REAL}}, "this job trains one arm, got real, oracle. Give arm=NAME"),
    ],
)
def test_a_job_out_of_range_is_refused_before_any_work(kind, given, message):
    assert job(kind).labels == "all"
    with pytest.raises(EchoAugmentError, match=message):
        job(kind, **given)


@pytest.mark.parametrize("unlabelled", [-1, 2.5, True])
def test_unlabelled_patients_are_counted_in_whole_numbers(unlabelled):
    check_unlabelled(None)
    check_unlabelled(0)
    for check in (check_unlabelled, lambda value: job(unlabelled=value)):
        with pytest.raises(
            EchoAugmentError, match=f"unlabelled must be a whole number of at least 0, got {unlabelled}"
        ):
            check(unlabelled)
