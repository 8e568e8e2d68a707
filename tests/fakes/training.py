"""Recipes and models small enough to train in a second, and results that nobody trained."""

from typing import Any

from echo_augment.training_recipes.training.run import TrainingResult
from echo_augment.training_recipes.training.settings import (
    ModelSettings,
    OptimizerSettings,
    ScheduleSettings,
    TrainerSettings,
)

REAL = {"_target_": "echo_augment.training_recipes.arms.real"}
ORACLE = {"_target_": "echo_augment.training_recipes.arms.synthetic", "clips": "oracle", "p": 0.5}


def segmentation_trainer(**changes: Any) -> TrainerSettings:
    """Six steps of four single frames."""
    recipe = {
        **{"steps": 6, "batch_size": 4, "clip_norm": 0.0, "validate_every": 3, "precision": "fp32"},
        "optimizer": OptimizerSettings(name="adamw", lr=3e-3, weight_decay=0.01),
        "schedule": ScheduleSettings(name="cosine", warmup=2),
        **{"threads": 1, "workers": 0, "memory_mb": 50, "stats_clips": 3},
    }
    return TrainerSettings(**(recipe | changes))


def ef_trainer(**changes: Any) -> TrainerSettings:
    """Six steps of four clips of six frames."""
    clips = {"length": 6, "period": 4, "pad": 12, "val_clips": 1, "test_clips": 2, "clip_norm": 100.0}
    return segmentation_trainer(**(clips | changes))


def tiny(*widths: int, **settings: Any) -> ModelSettings:
    """The model ``tiny`` with a few channels."""
    return ModelSettings(name="tiny", settings={"widths": list(widths or (4, 4)), **settings})


def result(**changes: Any) -> TrainingResult[Any]:
    """A result with values of its own only where they are given."""
    numbers = dict.fromkeys(("seed", "labelled_hearts", "train_hearts", "validation_hearts", "steps"), 0)
    numbers |= dict.fromkeys(("batch_size", "best_step", "seconds", "clips"), 0)
    empty = {"key": "", "arm": "real", "fingerprint": "", "predictions": {}}
    lists = {name: [] for name in ("labelled", "history", "notes", "skipped")}
    return TrainingResult(**(numbers | empty | lists | changes))
