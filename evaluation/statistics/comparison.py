"""Arms side by side: predictions as arrays over the same videos, figures and contrasts, and Holm's correction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from echo_augment.cache.errors import EchoAugmentError

from .intervals import RESAMPLES, Estimate, Groups, estimate_arm, estimate_difference
from .metrics import Array, Metric
from .results import ArmEstimate, Contrast, LevelFigures

Predictions = Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]]
"""By arm, seed and TEST video: ``(true, predicted)``."""

Dealt = Mapping[str, Sequence[int]]
"""By arm: which generator made the clips of each seed, seeds in ascending order."""

L = TypeVar("L", bound=LevelFigures)


@dataclass(frozen=True, slots=True)
class Table:
    """The predictions of all arms for the same videos.

    Attributes:
        videos: names of the H TEST videos.
        true: ``(H,)`` true values.
        predicted: by arm ``(S, H)``, seeds in ascending order.
        groups: by arm ``(S,)``, which generator made the clips of each seed; arms without clips, and those whose clips
            are all of one generator, are left out.
    """

    videos: list[str]
    true: Array
    predicted: Mapping[str, Array]
    groups: Dealt = field(default_factory=dict)

    def groups_of(self, *arms: str) -> Groups:
        """Return the groups of an arm, or of a pair: those of the first arm that has any."""
        return next((self.groups[arm] for arm in arms if arm in self.groups), None)

    def within(self, low: float, high: float) -> "Table":
        """Return the videos whose true value is at least ``low`` and below ``high``."""
        inside = (self.true >= low) & (self.true < high)
        names = [name for name, there in zip(self.videos, inside, strict=True) if there]
        kept = {arm: values[:, inside] for arm, values in self.predicted.items()}
        return replace(self, videos=names, true=self.true[inside], predicted=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How intervals are computed: their coverage ``level`` in (0, 1), and the ``resamples`` of the bootstrap."""

    level: float = 0.95
    resamples: int = RESAMPLES


def tabulate(predictions: Predictions, dealt: Dealt | None = None) -> Table:
    """Return predictions as arrays over the same videos.

    Args:
        predictions: of every arm.
        dealt: which generator made the clips of each seed, by arm.

    Raises:
        EchoAugmentError: the arms were trained with different seeds or tested on different videos.
    """
    seeds = {arm: sorted(runs) for arm, runs in predictions.items()}
    first = next(iter(seeds.values()))
    tested = {tuple(sorted(run)) for runs in predictions.values() for run in runs.values()}
    if any(own != first for own in seeds.values()) or len(tested) != 1:
        raise EchoAugmentError("the arms were not trained with the same seeds or not tested on the same videos")
    names = list(next(iter(tested)))
    true = {name: {run[name][0] for runs in predictions.values() for run in runs.values()} for name in names}
    if any(len(values) != 1 for values in true.values()):
        raise EchoAugmentError("the true value of a TEST video is not the same in all trainings")
    found = {arm: np.array([[runs[s][name][1] for name in names] for s in first]) for arm, runs in predictions.items()}
    return Table(names, np.array([next(iter(true[name])) for name in names]), found, dict(dealt or {}))


def pairs_of(arms: Sequence[str], more: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs of arms that are compared: each with ``real``, and those of ``more`` that are there."""
    pairs = [(arm, "real") for arm in arms if arm != "real" and "real" in arms]
    return pairs + [pair for pair in more if set(pair) <= set(arms)]


def measure_arm(
    metric: Metric, true: Array, predicted: Array, precision: Precision, groups: Groups = None
) -> ArmEstimate:
    """Return a figure of one arm: the mean over seeds, its interval, and the single seeds.

    Args:
        metric: which figure.
        true: ``(H,)``.
        predicted: ``(S, H)``.
        precision: of the interval.
        groups: ``(S,)``, see `echo_augment.evaluation.statistics.intervals.estimate_arm`.
    """
    found = estimate_arm(metric, true, predicted, level=precision.level, resamples=precision.resamples, groups=groups)
    seeds = () if metric.undefined(true) else tuple(metric.per_seed(predicted - true, true[None]).tolist())
    return ArmEstimate(mean=found.value, ci=found.ci, per_seed=seeds, reason=found.reason)


def contrast_arms(metric: Metric, table: Table, pair: tuple[str, str], precision: Precision) -> Contrast:
    """Return the difference of a figure between the two arms of ``pair``."""
    first, second = (table.predicted[arm] for arm in pair)
    found: Estimate = estimate_difference(
        metric,
        table.true,
        first,
        second,
        level=precision.level,
        resamples=precision.resamples,
        groups=table.groups_of(*pair),
    )
    return Contrast.of(found)


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected so that the chance of any false alarm among them stays at the level.

    Holm, "A simple sequentially rejective multiple test procedure" (Scand. J. Stat. 1979): the smallest of m is
    multiplied by m, the next by m - 1, .., and none is smaller than the one before.

    Args:
        p: in [0, 1], in any order.

    >>> holm([0.25, 0.0625, 0.5])
    [0.5, 0.1875, 0.5]
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(steps, 1.0)
    return [float(one) for one in corrected]


def correct(levels: Sequence[L]) -> list[L]:
    """Return the levels with ``p_holm`` in every contrast, corrected over the numbers of labels, and ``tests``: over
    how many.

    Args:
        levels: the figures at each number of labels. They need not have the same arms.

    >>> def level(p):
    ...     cell = Contrast(diff=-1.0, ci=(-2.0, 0.0), p=p, detectable=1.5)
    ...     found = {"label_fraction": 0.1, "labelled": 16, "arms": {}, "recovered_gain": None, "gains": {}}
    ...     return LevelFigures(contrasts={"synthetic-real": {"mae": cell}}, **found)
    >>> [one.contrasts["synthetic-real"]["mae"].p_holm for one in correct([level(0.25), level(0.0625)])]
    [0.25, 0.125]
    """
    corrected: dict[tuple[int, str, str], Contrast] = {}
    for pair in dict.fromkeys(pair for level in levels for pair in level.contrasts):
        there = [place for place, level in enumerate(levels) if pair in level.contrasts]
        for metric in levels[there[0]].contrasts[pair]:
            cells = {place: levels[place].contrasts[pair][metric] for place in there}
            tested = {place: cell.p for place, cell in cells.items() if cell.p is not None}
            for (place, _), p in zip(tested.items(), holm(list(tested.values())), strict=True):
                corrected[place, pair, metric] = replace(cells[place], p_holm=p, tests=len(tested))
    return [
        replace(
            level,
            contrasts={
                pair: {metric: corrected.get((place, pair, metric), cell) for metric, cell in cells.items()}
                for pair, cells in level.contrasts.items()
            },
        )
        for place, level in enumerate(levels)
    ]
