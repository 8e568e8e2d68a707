"""One number of labels of a benchmark: its caches, its trainings; and the opening of its data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import read_table, refuse_leaks
from echo_augment.cache.system.progress import say
from echo_augment.training_recipes.common.dataset import dataset_files
from echo_augment.training_recipes.training.run import TrainingResult, TrainingRun

from .caches import Caches
from .design import Design, Subset
from .ef_task import EFTask
from .segmentation_task import SegmentationTask
from .settings import DesignSettings
from .task import Task
from .trainings import count_workers, run_all

TASKS: Mapping[str, type[Task]] = {"ef": EFTask, "segmentation": SegmentationTask}
REAL = {"_target_": "echo_augment.training_recipes.arms.real"}


def open_design(settings: DesignSettings, share: tuple[int, int]) -> tuple[Task, Design]:
    """Return the task and the design of a benchmark, checked; phantoms are written first if they are missing."""
    task = TASKS[settings.task]()
    data = dataset_files(settings.data)
    table = read_table(data)
    held_out = [*table.split("val"), *table.split("test")]
    refuse_leaks(table.split("train"), held_out)
    for further in settings.generator.also or ():  # before hours of training, not after
        refuse_leaks(read_table(further).split("train"), held_out)
    design = Design.of(settings, data, task.videos(data), share)
    task.check(design)
    return task, design


def run_level(
    task: Task, design: Design, stock: Caches, place: int, others: Sequence[Path]
) -> tuple[dict[Subset, dict[str, str]], dict[Path, TrainingResult[Any]]]:
    """Fill the caches and do the trainings of one number of labels; return folders of clips, and results."""
    settings, subsets = design.settings, design.at(place)
    workers = count_workers(settings.workers, len(subsets) * len(design.arms), settings.trainer.threads)

    def train(runs: Mapping[Path, TrainingRun]) -> dict[Path, TrainingResult[Any]]:
        elsewhere = {path: [other / path.relative_to(design.out) for other in others] for path in runs}
        return run_all(runs, workers=workers, elsewhere=elsewhere)

    teachers: dict[Subset, Path] = {}
    if task.needs_teachers(design):
        spec = design.arms.get("real", REAL)
        first = dict(design.training(task.run, subset, "real", spec, {}) for subset in subsets)
        say("nets of the arm real, which the making of synthetic clips needs:")
        train(first)
        teachers = dict(zip(subsets, first, strict=True))
    caches = stock.fill(place, teachers)
    return caches, train(
        dict(
            design.training(task.run, subset, arm, spec, caches[subset])
            for subset in subsets
            for arm, spec in design.arms.items()
        )
    )
