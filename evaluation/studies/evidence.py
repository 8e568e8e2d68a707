"""The settled question: what the reports of benchmarks say to the questions of the acceptance, asked before they ran,
and to some that explain them.

``python -m echo_augment.evaluation.studies.evidence_page FOLDER DOCS`` reads ``report.json`` in ``ef``, ``harm`` and
``segmentation`` of FOLDER and writes ``phantom.md`` and ``phantom.json`` into DOCS. Here are the questions and how
figures answer them; how the answers are told is `echo_augment.evaluation.studies.evidence_page`.
"""

from dataclasses import dataclass

from ..report.content import BenchmarkReport
from ..report.verdict import DICE, EF_ERROR, Judged, decide
from ..statistics.records import Record
from ..statistics.results import Contrast, Interval, LevelFigures

POOL, FEW, MORE = 500, 16, 64  # unlabelled videos at least; labelled videos of the two questions
HARM = 0.3  # EF points: less than that is no harm
HALF = 0.5  # of the oracle's gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Record):
    """The answer to one question.

    Attributes:
        question: in plain words.
        answer: ``yes``; ``no``: the opposite was shown, or the figure itself says so; ``not shown``: the data allow
            both; ``not measured``: what it needs is not in the reports.
        unit: of the figures.
        value: a difference or a share; None if it was not measured.
        ci: its interval.
        p: of "the difference is zero".
        p_holm: after Holm's correction over the numbers of labels.
        detectable: the true difference that would have been found with 80 % power.
        reason: why a share has no interval; empty if it has one.
    """

    question: str
    answer: str
    unit: str = ""
    value: float | None = None
    ci: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    detectable: float | None = None
    reason: str = ""


def level_of(report: BenchmarkReport | None, labelled: int) -> LevelFigures | None:
    """Return the figures at so many labelled videos; None if a report has none."""
    if report is None:
        return None
    return next((level for level in report.levels if level.labelled == labelled), None)


def measured(level: LevelFigures | None, pair: str, metric: str) -> Contrast | None:
    """Return a difference that has an interval; None otherwise."""
    cell = None if level is None else level.contrast(pair, metric)
    return None if cell is None or cell.ci is None else cell


def _told(question: str, answer: str, unit: str, cell: Contrast) -> Answer:
    return Answer(
        question=question,
        answer=answer,
        unit=unit,
        value=cell.diff,
        ci=cell.ci,
        p=cell.p,
        p_holm=cell.p_holm,
        detectable=cell.detectable,
    )


def is_better(question: str, level: LevelFigures | None, pair: str, judged: Judged, sure: float) -> Answer:
    """Return whether the first arm of a pair is better: the whole interval on the good side, and Holm's p below
    ``1 - sure``."""
    cell = measured(level, pair, judged.metric)
    if cell is None:
        return Answer(question=question, answer="not measured")
    words = {"helped": "yes", "harmed": "no", "no difference": "not shown"}
    return _told(question, words[judged.decide(cell, sure)], judged.unit, cell)


def does_no_harm(question: str, level: LevelFigures | None, pair: str) -> Answer:
    """Return whether the whole interval of the difference of MAE is below `HARM`; ``no`` only if so much is shown."""
    cell = measured(level, pair, EF_ERROR.metric)
    if cell is None or cell.ci is None:
        return Answer(question=question, answer="not measured")
    low, high = cell.ci
    return _told(question, "yes" if high < HARM else "no" if low >= HARM else "not shown", EF_ERROR.unit, cell)


def recovers_half(question: str, level: LevelFigures | None, base: str) -> Answer:
    """Return whether the share of the oracle's gain is at least `HALF`. The estimate answers; its interval says how
    sure that is. If it is not sure that the oracle gains anything, the answer is ``not shown``."""
    found = None if level is None else level.gains.get(base)
    if found is None:
        return Answer(question=question, answer="not measured")
    words = "not shown" if found.ci is None else "yes" if found.gain >= HALF else "no"
    return Answer(
        question=question,
        answer=words,
        unit="of the oracle's gain",
        value=found.gain,
        ci=found.ci,
        reason=found.reason,
    )


def has_pool(report: BenchmarkReport | None) -> Answer:
    """Return whether there were enough unlabelled videos."""
    question = f"Were there at least {POOL} unlabelled TRAIN videos beside the {FEW} labelled ones?"
    if report is None or level_of(report, FEW) is None:
        return Answer(question=question, answer="not measured")
    count = report.videos.train - FEW
    return Answer(question=question, answer="yes" if count >= POOL else "no", unit="videos", value=count)


BETTER = "Is the EF error with {first} smaller than with {second} at {n} labelled videos?"
HARMLESS = "Does {first} do no harm against {second} at {n} labelled videos (less than {harm} EF points)?"
GAIN = "Does {first} bring at least half of what exact counterfactuals bring over {second} at {n} labelled videos?"
MASKS = "Are the LV masks with {first} better than with {second} at {n} labelled videos (Dice)?"


def ask(ef: BenchmarkReport | None, masks: BenchmarkReport | None) -> list[Answer]:
    """Return every question with its answer; the first seven (`ACCEPTANCE`) are what was to be reached.

    Args:
        ef: ``report.json`` of ``benchmark experiment=evidence``; None if it was not run.
        masks: ``report.json`` of ``benchmark experiment=evidence_segmentation``; None if it was not run.
    """
    few, more, drawn = level_of(ef, FEW), level_of(ef, MORE), level_of(masks, FEW)
    sure = [0.95 if report is None else report.level for report in (ef, masks)]

    def better(first: str, second: str) -> Answer:
        words = BETTER.format(first=first, second=second, n=FEW)
        return is_better(words, few, f"{first}-{second}", EF_ERROR, sure[0])

    def harmless(first: str, second: str) -> Answer:
        words = HARMLESS.format(first=first, second=second, n=MORE, harm=HARM)
        return does_no_harm(words, more, f"{first}-{second}")

    def sharper(first: str, second: str) -> Answer:
        words = MASKS.format(first=first, second=second, n=FEW)
        return is_better(words, drawn, f"{first}-{second}", DICE, sure[1])

    def half(second: str) -> Answer:
        return recovers_half(GAIN.format(first="synthetic", second=second, n=FEW), few, second)

    return [
        has_pool(ef),
        better("synthetic", "classical"),
        half("real"),
        better("synthetic+pseudo_label", "pseudo_label"),
        harmless("synthetic", "real"),
        harmless("synthetic", "classical"),
        sharper("synthetic", "real"),
        better("synthetic", "real"),
        better("oracle", "real"),
        half("classical"),
        harmless("synthetic+classical", "classical"),
        sharper("synthetic", "classical"),
    ]


ACCEPTANCE = 7  # so many of `ask` are what was to be reached; the others explain them


def what_limits(ef: BenchmarkReport | None) -> list[str]:
    """Return what stands between ``synthetic`` and more, as far as the arms at `FEW` labels can tell."""
    level = level_of(ef, FEW)
    room, left = measured(level, "oracle-real", "mae"), measured(level, "synthetic-oracle", "mae")
    if room is None or room.ci is None or left is None or left.ci is None:
        return [f"At {FEW} labelled videos real, synthetic and oracle were not all measured: it cannot be told."]
    found = []
    if decide(room) != "helped":
        found.append(
            "That exact counterfactuals lower the error could not be shown "
            f"({room.diff:+.2f} EF points, {room.ci[0]:+.2f} to {room.ci[1]:+.2f}), and so no room for a "
            "better generator: with this number and share of clips even perfect ones may bring little."
        )
    if decide(left) == "harmed":
        found.append(
            f"As many exact counterfactuals of the same labelled videos do better by {left.diff:.2f} EF points "
            f"({left.ci[0]:.2f} to {left.ci[1]:.2f}): the number of clips and the mixing are the same, so what "
            "is missing is in the generator's clips, their motion or their appearance."
        )
    else:
        found.append(
            "That the generator's clips bring less than as many exact counterfactuals could not be shown "
            f"({left.diff:+.2f} EF points, {left.ci[0]:+.2f} to {left.ci[1]:+.2f}): here the "
            "generator is not what is known to limit."
        )
    return found
