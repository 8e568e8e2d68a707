"""What differs between the tasks of a benchmark: what is trained, which clips are fit for it, how it is judged."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from echo_augment.cache.gates import Gate
from echo_augment.training_recipes.filling.fill import Generator
from echo_augment.training_recipes.training.run import TrainingResult, TrainingRun

from ..statistics.ef_summary import Results
from .design import Design, Subset


class Task(Protocol):
    """A task of a benchmark.

    Attributes:
        run: the class of its trainings.
        prefix: of its caches' names.
    """

    run: type[TrainingRun]
    prefix: str

    def hearts(self, root: Path) -> list[str]:
        """Names of the TRAIN hearts that can be used."""

    def check(self, design: Design) -> None:
        """Raises EchoAugmentError for settings that are not for this task."""

    def needs_teachers(self, design: Design) -> bool:
        """Whether clips cannot be made or chosen before the arm ``real`` is trained."""

    def oracle(self, root: Path) -> Generator:
        """Makes exact counterfactuals."""

    def dress(self, bare: Generator, design: Design, subset: Subset, teacher: Path | None) -> Generator:
        """The generator with what else its clips need."""

    def gates(
        self, bare: Generator, design: Design, subset: Subset, teacher: Path | None, folder: Path
    ) -> Sequence[Gate]:
        """Which clips are kept; ``teacher`` is None where clips are exact, ``folder`` that of the cache."""

    def summarise(self, results: Sequence[TrainingResult[Any]], **settings: Any) -> dict[str, Any]:
        """Arms, contrasts and recovered gain of one number of labels."""

    def verdict(self, report: Mapping[str, Any]) -> str:
        """The answer in plain words."""

    def write(
        self, design: Design, report: Mapping[str, Any], caches: Mapping[Subset, Mapping[str, str]], results: Results
    ) -> None:
        """Write the pages of the report."""
