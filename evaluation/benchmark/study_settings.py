"""Settings of what a benchmark declares before it runs: what is tuned and on what, and its primary questions."""

from dataclasses import dataclass, field
from typing import Any

from echo_augment.cache.arguments import check_number, check_seed, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.training.subsets import check_labels


@dataclass(kw_only=True)
class GridSettings:
    """The values of one setting of one arm that are tried.

    Attributes:
        key: of the arm: ``p``, ``learner.weight``.
        values: two or more different ones.
        also: settings of other arms that take the chosen value, too, with the arm before the dot:
            ``mixup.strength``. Those of arms that are not trained are passed over.
    """

    key: str = ""
    values: list[Any] = field(default_factory=list)
    also: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.key or len(self.values) < 2 or len(set(map(str, self.values))) != len(self.values):
            raise EchoAugmentError(
                f"tune.grid needs a key and at least two different values, got key={self.key!r} values={self.values!r}",
                "For instance tune.grid.synthetic={key:p,values:[0.25,0.5,0.75]}",
            )


@dataclass(kw_only=True)
class TuneSettings:
    """What is tuned before a benchmark, on videos that are never reported.

    Attributes:
        data: what is other than in the benchmark's own ``data``: ``{root: FOLDER}``; of phantoms ``{seed: 20}`` and
            others. None of these videos may be in VAL or TEST of the benchmark.
        grid: a `GridSettings` by arm. Arms are tuned in this order, each with what was chosen before.
        labels: labelled videos; None for the first number of the benchmark.
        seeds: of the trainings; None for the benchmark's own.
        clips: synthetic clips for each seed; None likewise.
        of: folders of finished benchmarks whose choices are taken over before anything is tuned here; None for none.
    """

    data: Any = field(default_factory=dict)
    grid: dict[str, GridSettings] = field(default_factory=dict)
    labels: int | float | str | None = None
    seeds: list[int] | None = None
    clips: int | None = None
    of: list[str] | None = None

    def __post_init__(self) -> None:
        if not self.grid and not self.of:
            raise EchoAugmentError(
                "tune has no grid", "For instance tune.grid.synthetic={key:p,values:[0.25,0.5,0.75]}"
            )
        if self.grid and not {"root", "seed"} & set(self.data):
            raise EchoAugmentError(
                "tune.data names no videos of its own: an arm that is tuned on the videos it is judged by says nothing",
                "Give tune.data={root:FOLDER}, or of phantoms tune.data={seed:20}",
            )
        if self.labels is not None:
            check_labels(self.labels)
        for seed in self.seeds or ():
            check_seed(seed, "tune.seeds")
        if self.clips is not None:
            check_whole("tune.clips", self.clips, 1)


def without_nulls(tune: Any) -> Any:
    """Return what ``tune`` says without grids that are null, by which an experiment drops those of another."""
    grid = {arm: one for arm, one in (tune.get("grid") or {}).items() if one is not None}
    return {**tune, "grid": grid}


@dataclass(kw_only=True)
class PrimarySettings:
    """A question that is declared primary: Holm's correction is over these alone, everything else is exploratory.

    Attributes:
        number: by which a page orders the questions of several benchmarks.
        question: in plain words.
        pair: the two arms, ``first-second``.
        labels: one of the benchmark's ``labels``.
        test: which further TEST folder it is about; None for the benchmark's own TEST.
        low: EF in percent from which on a TEST video counts; None for no bound.
        high: EF in percent below which it counts; None likewise.
    """

    number: int = 0
    question: str = ""
    pair: str = ""
    labels: int | float | str = ""
    test: str | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        check_whole("primary.number", self.number, 1)
        if self.pair.count("-") != 1 or not all(self.pair.split("-")):
            raise EchoAugmentError(f"primary.pair must be two arms, first-second, got {self.pair!r}")
        check_labels(self.labels)
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                check_number(f"primary.{name}", getattr(self, name), 0, 101)
