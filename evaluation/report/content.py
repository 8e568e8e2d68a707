"""What ``report.json`` of a benchmark, and of a sweep of benchmarks, holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from echo_augment.cache.generator import SkippedDonor
from echo_augment.training_recipes.common.reporting import Machine

from ..statistics.records import Record
from ..statistics.results import ArmEstimate, ColumnLevel, Contrast, LevelFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes(Record):
    """Videos: usable ones in TRAIN, those in VAL that weights are selected by, and those in TEST."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFigures(Record):
    """A cache that the benchmark filled.

    Attributes:
        kind: ``synthetic`` or ``oracle``.
        labels: as configured.
        seed: of the labelled subset.
        skipped: videos that could not be donors.
        folder: of the cache.
        wanted: clips in the plan.
        sealed: clips in the cache.
        made: clips of this run.
        rejected: clips that the gates refused, by kind of reason.
        seconds: that the fill took in this run.
        size: of the cache in bytes.
        fingerprint: of the generator.
        complete: whether every wanted clip is there.
    """

    kind: str
    labels: int | float | str
    seed: int
    skipped: tuple[SkippedDonor, ...]
    folder: str
    wanted: int
    sealed: int
    made: int
    rejected: Mapping[str, int]
    seconds: float
    size: int
    fingerprint: str
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipsMade(Record):
    """What made a kind of clips.

    Attributes:
        kind: ``synthetic``, ``transport``, ..
        generator: ``bundled``, ``own`` (trained by this benchmark), or the folder or Hub id that was given.
        seed: of its training, where this benchmark trained several.
        sampler: kind and steps, for instance ``ddim-8``; 0 steps take no denoising step.
        features: whose motion features the clips follow, in words; empty where that is not known.
        videos: how many trained it; None where that is not known.
        trained_on: whose videos these are, in words.
    """

    kind: str
    generator: str
    seed: int | None = None
    sampler: str = ""
    features: str = ""
    videos: int | None = None
    trained_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherColumn(Record):
    """What the same nets reach on the TEST videos of another data set, or judged by other labels of the own ones.

    Attributes:
        name: of the column.
        folder: of its data set.
        levels: the figure that arms are compared by, at each number of labels.
    """

    name: str
    folder: str
    levels: tuple[ColumnLevel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedValue(Record):
    """What one value of a tuned setting brought: the figure that arms are judged by, its mean and by seed."""

    value: str
    figure: float
    per_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning(Record):
    """How one setting of an arm was chosen, on videos that are not in this report.

    Attributes:
        arm: whose setting.
        key: of the setting.
        also: settings of other arms that took the value, too.
        values: what each value of the grid brought.
        chosen: the value with the best figure, the first of equal ones; in words, as in ``values``.
        setting: the same as it stands in the configuration.
        taken_from: folder of the benchmark that it was taken over from; empty if it was tuned here.
        labelled: TRAIN videos that were labelled.
        seeds: of the trainings.
        videos: TEST videos of the tuning set.
        data: where the tuning set is.
    """

    arm: str
    key: str
    also: tuple[str, ...]
    values: tuple[TunedValue, ...]
    chosen: str
    setting: Any
    labelled: int = field(metadata={"key": "labelled_hearts"})
    seeds: tuple[int, ...]
    videos: int = field(metadata={"key": "hearts"})
    data: str
    taken_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryAnswer(Record):
    """A question that was declared primary, with its figures; ``contrast.p_holm`` is over all that are answered.

    Attributes:
        number: by which a page orders the questions of several benchmarks.
        question: in plain words.
        pair: the two arms, ``first-second``.
        labelled: TRAIN videos that are labelled.
        videos: TEST videos that count.
        test: name of the column; empty for the own TEST videos.
        low: EF in percent from which on a TEST video counts; None for no bound.
        high: EF in percent below which it counts; None likewise.
        contrast: the difference of the figure that arms are compared by.
    """

    number: int
    question: str
    pair: str
    labelled: int = field(metadata={"key": "labelled_hearts"})
    videos: int = field(metadata={"key": "hearts"})
    test: str = ""
    low: float | None = None
    high: float | None = None
    contrast: Contrast


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainings(Record):
    """How many trainings there are, and their time in all, with those of earlier runs."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Published(Record):
    """A row from a paper that stands beside ours: MAE in EF points by labels as configured."""

    name: str
    mae: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkReport(LevelFigures):
    """What ``report.json`` holds; the figures at its top are those of the first number of labels.

    Attributes:
        job: ``benchmark`` or ``demo``.
        task: ``ef`` or ``segmentation``.
        data: ``phantom`` or ``echonet``.
        seeds: of the labelled subsets and trainings.
        level: coverage of the intervals.
        videos: in TRAIN, VAL and TEST.
        steps: optimiser steps of every training.
        batch_size: clips in a batch.
        fingerprint: of the generator of the synthetic clips; empty without one.
        clips: the caches that were filled.
        skipped: videos that were left out, each with its reason.
        notes: what a reader should know besides.
        verdict: whether ``synthetic`` helped, in plain words.
        versions: of Python and the packages, by name.
        config: the job's settings as composed and resolved.
        overrides: what was typed after the job's name; empty if it was called from Python.
        trainings: how many and how long; None in reports of early versions.
        machine: that it ran on; likewise.
        arithmetic: precision, device and kernels of the trainings, in words; several if they differ.
        minutes: that this run took; likewise.
        fractions: figures at every number of labels, if there are several.
        published: rows from papers.
        made: what made the clips, by kind and generator.
        tests: figures on further TEST videos, or by other labels of the own ones.
        tuning: how settings of arms were chosen.
        primary: answers to the questions that were declared primary.
    """

    job: str
    task: str
    data: str
    seeds: tuple[int, ...]
    level: float
    videos: Sizes = field(metadata={"key": "hearts"})
    steps: int
    batch_size: int
    fingerprint: str
    clips: tuple[CacheFigures, ...]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    verdict: str
    versions: Mapping[str, str]
    config: Mapping[str, Any]
    overrides: tuple[str, ...]
    trainings: Trainings | None = None
    machine: Machine | None = None
    arithmetic: tuple[str, ...] = ()
    minutes: float | None = None
    fractions: tuple[LevelFigures, ...] = ()
    published: tuple[Published, ...] = ()
    made: tuple[ClipsMade, ...] = ()
    tests: tuple[FurtherColumn, ...] = ()
    tuning: tuple[Tuning, ...] = ()
    primary: tuple[PrimaryAnswer, ...] = ()

    @property
    def levels(self) -> Sequence[LevelFigures]:
        """The figures at every number of labels."""
        return self.fractions or [self]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow(Record):
    """What a benchmark found with one value of the setting that a sweep changes.

    Attributes:
        value: of the setting, in words.
        label_fraction: share of TRAIN that is labelled.
        labelled: TRAIN videos that are labelled.
        arms: mean absolute error by arm.
        contrasts: difference of the mean absolute error by pair (``first-second``).
        recovered_gain: as in `LevelFigures`.
        fingerprint: of the generator.
    """

    value: str
    label_fraction: float
    labelled: int = field(metadata={"key": "labelled_hearts"})
    arms: Mapping[str, ArmEstimate]
    contrasts: Mapping[str, Contrast]
    recovered_gain: float | None
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport(Record):
    """What ``report.json`` of a sweep holds; attributes as in `BenchmarkReport`, and

    Attributes:
        key: of the setting that the sweep changes.
        rows: one for each value.
    """

    task: str
    data: str
    seeds: tuple[int, ...]
    level: float
    videos: Sizes = field(metadata={"key": "hearts"})
    steps: int
    batch_size: int
    key: str = field(metadata={"key": "ablation"})
    rows: tuple[SweepRow, ...] = field(metadata={"key": "doses"})
    notes: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
