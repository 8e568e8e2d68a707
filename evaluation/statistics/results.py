"""What a benchmark found, as types: figures of the arms, contrasts between them, and gains. Keys of ``report.json``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .intervals import Estimate
from .records import Record

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEstimate(Record):
    """One figure of one arm.

    Attributes:
        mean: over seeds; NaN if the figure is undefined.
        ci: its interval; None if ``reason`` says why it is missing.
        per_seed: the figure of each training, seeds in ascending order.
        reason: why there is no interval; empty if there is one.
    """

    mean: float
    ci: Interval | None
    per_seed: tuple[float, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast(Record):
    """The difference of a figure between two arms, first minus second, paired by video and seed.

    Attributes:
        diff: the difference; NaN if the figure is undefined.
        ci: its interval; None if ``reason`` says why it is missing.
        p: two-sided p-value of "the difference is zero"; None without an interval.
        detectable: true difference that this design finds with 80 % power; None without an interval.
        reason: why there is no interval; empty if there is one.
        p_holm: ``p`` corrected over the numbers of labels, see `echo_augment.evaluation.statistics.comparison.correct`.
        tests: over how many it was corrected.
    """

    diff: float
    ci: Interval | None
    p: float | None
    detectable: float | None
    reason: str = ""
    p_holm: float | None = None
    tests: int | None = None

    @classmethod
    def of(cls, found: Estimate) -> Self:
        """Return an estimated difference as a contrast."""
        return cls(diff=found.value, ci=found.ci, p=found.p, detectable=found.detectable, reason=found.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain(Record):
    """The share of the oracle's gain that an arm brings.

    Attributes:
        gain: the share, 1 if the arm is as good as the oracle.
        ci: its interval; None if ``reason`` says why it is missing.
        reason: why there is no interval; empty if there is one.
    """

    gain: float
    ci: Interval | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration(Record):
    """Least squares of ``true = intercept + slope * predicted``, and the ``bias``, predicted minus true EF."""

    slope: ArmEstimate
    intercept: ArmEstimate
    bias: ArmEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeFigures(Record):
    """Error and bias of an arm within a range of the true EF.

    Attributes:
        range: in words.
        low: EF in percent from which on a video belongs here.
        high: EF in percent below which it does.
        videos: TEST videos in the range.
        mae: mean absolute error in EF points.
        bias: predicted minus true EF in EF points.
    """

    range: str
    low: float
    high: float
    videos: int = field(metadata={"key": "hearts"})
    mae: ArmEstimate
    bias: ArmEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled(Record):
    """Dice over the pixels of all TEST videos together, as echonet reports it: by seed, and its mean."""

    mean: float
    per_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures(Record):
    """All figures of one arm; in JSON those in ``figures`` stand beside the others.

    Attributes:
        figures: by name of the metric: ``mae``, ``auroc_50``, ``dice``, ..
        calibration: of predicted EF.
        by_range: of predicted EF.
        pooled: of masks, by ``dice``, ``dice_ed``, ``dice_es``.
    """

    figures: Mapping[str, ArmEstimate]
    calibration: Calibration | None = None
    by_range: tuple[RangeFigures, ...] = ()
    pooled: Mapping[str, Pooled] | None = None

    def __getitem__(self, metric: str) -> ArmEstimate:
        return self.figures[metric]

    def to_json(self) -> dict[str, Any]:
        """Return all figures as plain JSON."""
        found = super(ArmFigures, self).to_json()
        return {**found.pop("figures"), **found}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Return the figures of an arm of ``report.json``."""
        others = {name: plain[name] for name in ("calibration", "by_range", "pooled") if name in plain}
        figures = {name: value for name, value in plain.items() if name not in others}
        return super(ArmFigures, cls).from_json({"figures": figures, **others})


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing(Record):
    """How many TEST patients change the side of an EF when the second arm of a pair gives way to the first.

    Attributes:
        pair: ``first-second``.
        cut: EF in percent.
        videos: TEST videos.
        righted: those that move to the side where they belong, the mean over seeds.
        wronged: those that move to the other one, likewise.
    """

    pair: str
    cut: float
    videos: int = field(metadata={"key": "hearts"})
    righted: float
    wronged: float


Contrasts = Mapping[str, Mapping[str, Contrast]]
"""By pair (``first-second``) and name of the metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFigures(Record):
    """What a benchmark found at one number of labels.

    Attributes:
        label_fraction: share of TRAIN that is labelled.
        labelled: TRAIN videos that are labelled.
        arms: figures by arm.
        contrasts: by pair (``first-second``) and metric.
        recovered_gain: share of the oracle's gain over ``real`` that ``synthetic`` brings; None if it has none.
        gains: the same with its interval, by the arm that both gains are over.
        crossings: of EF 50 and 40, by pair.
    """

    label_fraction: float
    labelled: int = field(metadata={"key": "labelled_hearts"})
    arms: Mapping[str, ArmFigures]
    contrasts: Contrasts
    recovered_gain: float | None
    gains: Mapping[str, Gain | None]
    crossings: tuple[Crossing, ...] = ()

    def contrast(self, pair: str, metric: str) -> Contrast | None:
        """Return the difference between the arms of a pair; None where it was not measured."""
        return self.contrasts.get(pair, {}).get(metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLevel(Record):
    """The figure that a benchmark is judged by, on other TEST videos or other labels of them, at one number of labels.

    Attributes:
        labelled: TRAIN videos that are labelled.
        videos: TEST videos of the column.
        arms: by arm.
        contrasts: by pair.
    """

    labelled: int = field(metadata={"key": "labelled_hearts"})
    videos: int = field(metadata={"key": "hearts"})
    arms: Mapping[str, ArmEstimate]
    contrasts: Mapping[str, Contrast]
