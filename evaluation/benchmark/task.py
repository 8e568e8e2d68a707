"""What differs between the tasks of a benchmark: what is trained, which clips are fit for it, how it is judged."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from echo_augment.augmentor.data.layouts.finding import DataFiles, DataFolder
from echo_augment.cache.gates import Gate
from echo_augment.cache.generator import DonorGenerator
from echo_augment.training_recipes.training.run import TrainingResult, TrainingRun

from ..report.content import BenchmarkReport
from ..report.verdict import Judged
from ..statistics.comparison import Dealt, Precision, Table
from ..statistics.metrics import Metric
from ..statistics.results import LevelFigures
from .design import Design, Subset

Prediction = TypeVar("Prediction")
Results = Mapping[Path, TrainingResult[Any]]
"""The results of trainings, by folder."""


class Task(Protocol):
    """A task of a benchmark.

    Attributes:
        run: class of its trainings.
        prefix: of the names of its caches.
        judged: the figure that its arms are compared by.
    """

    run: type[TrainingRun]
    prefix: str
    judged: Judged

    def videos(self, root: DataFolder) -> list[str]:
        """Return the names of the TRAIN videos that can be used."""
        ...

    def check(self, design: Design) -> None:
        """Raise EchoAugmentError for settings that are not for this task."""
        ...

    def needs_teachers(self, design: Design) -> bool:
        """Return whether clips cannot be made or chosen before the arm ``real`` is trained."""
        ...

    def oracle(self, root: Path) -> DonorGenerator:
        """Return what renders exact counterfactuals."""
        ...

    def dress(self, bare: DonorGenerator, design: Design, subset: Subset, teacher: Path | None) -> DonorGenerator:
        """Return the generator with what else its clips need."""
        ...

    def gates(
        self, bare: DonorGenerator, design: Design, subset: Subset, teacher: Path | None, folder: Path
    ) -> Sequence[Gate]:
        """Return which clips are kept in the cache ``folder``; ``teacher`` is None if clips are exact."""
        ...

    def summarise(self, results: Results, precision: Precision, dealt: Dealt) -> LevelFigures:
        """Return arms, contrasts and recovered gain of the trainings of one number of labels.

        Args:
            results: of the trainings.
            precision: of the intervals.
            dealt: which generator made the clips of each seed, by arm.
        """
        ...

    def table(self, results: Mapping[Path, TrainingResult[Any]], dealt: Dealt) -> tuple[Metric, Table]:
        """Return the figure that arms are compared by, and true and predicted values of every TEST video.

        Args:
            results: of the trainings.
            dealt: which generator made the clips of each seed, by arm.
        """
        ...

    def test(self, folder: Path, data: DataFiles, device: str) -> Any:
        """Return what the net of a finished training predicts of the TEST videos of another data set, by name.

        Args:
            folder: of the training.
            data: the data set.
            device: to compute on.

        Raises:
            EchoAugmentError: none of its TEST videos can be used.
        """
        ...

    def write(
        self, design: Design, report: BenchmarkReport, caches: Mapping[Subset, Mapping[str, str]], results: Results
    ) -> None:
        """Write the pages of the report."""
        ...


def by_arm(results: Sequence[TrainingResult[Prediction]]) -> dict[str, dict[int, dict[str, Prediction]]]:
    """Return the predictions of some trainings by arm and seed."""
    found: dict[str, dict[int, dict[str, Prediction]]] = {}
    for result in results:
        found.setdefault(result.arm, {})[result.seed] = result.predictions
    return found


def labelled_share(results: Results) -> tuple[int, float]:
    """Return how many videos are labelled in trainings of one number of labels, and what share of TRAIN that is.

    ``full`` knows more; the smallest number counts.
    """
    some = min(results.values(), key=lambda result: result.labelled_hearts)
    return some.labelled_hearts, some.labelled_hearts / some.train_hearts


def first_level(results: Results, report: BenchmarkReport) -> list[TrainingResult[Any]]:
    """Return the trainings with as many labels as the arms at the top of a report, and those of ``full``."""
    return [one for one in results.values() if one.arm == "full" or one.labelled_hearts == report.labelled]
