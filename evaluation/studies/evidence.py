"""The settled question: what the reports of benchmarks say to the questions of the acceptance, asked before they ran,
and to some that explain them.

``python -m echo_augment.evaluation.studies.evidence_page FOLDER DOCS`` reads ``report.json`` in ``ef``, ``harm`` and
``segmentation`` of FOLDER and writes ``evidence-phantom.md`` and ``evidence-phantom.json`` into DOCS. Here are the
questions and how figures answer them; how the answers are told is `echo_augment.evaluation.studies.evidence_page`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..report.segmentation_report import answer as decide_dice
from ..report.verdict import decide

POOL, FEW, MORE = 500, 16, 64  # unlabelled hearts at least; labelled hearts of the two questions
HARM = 0.3  # EF points: less than that is no harm
HALF = 0.5  # of the oracle's gain
Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question.

    Attributes:
        question: in plain words.
        answer: ``yes``; ``no``: the opposite was shown, or the figure itself says so; ``not shown``: the data allow
            both; ``not measured``: what it needs is not in the reports.
        unit: of the figures.
        value: a difference or a share; None where there is none.
        ci: its interval.
        p: of "the difference is zero".
        p_holm: after Holm's correction over the numbers of labels.
        detectable: the true difference that would have been found with 80 % power.
        reason: why a share has no interval; empty where it has one.
    """

    question: str
    answer: str
    unit: str = ""
    value: float | None = None
    ci: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None
    detectable: float | None = None
    reason: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def level_of(report: Report | None, labelled: int) -> Report | None:
    """The figures of so many labelled hearts; None where a report has none."""
    if report is None:
        return None
    levels = report.get("fractions") or [report]
    return next((level for level in levels if level["labelled_hearts"] == labelled), None)


def _contrast(level: Report | None, pair: str, metric: str) -> Mapping[str, Any] | None:
    cell = (level or {}).get("contrasts", {}).get(pair, {}).get(metric)
    return None if cell is None or cell["ci"] is None else cell


def _told(question: str, answer: str, unit: str, cell: Mapping[str, Any]) -> Answer:
    figures: dict[str, Any] = {name: cell.get(name) for name in ("p", "p_holm", "detectable")}
    return Answer(question, answer, unit, cell["diff"], (cell["ci"][0], cell["ci"][1]), **figures)


def is_better(question: str, level: Report | None, pair: str, metric: str, sure: float) -> Answer:
    """Is the first arm of a pair better: the whole interval on the good side, and Holm's p below ``1 - sure``?"""
    cell = _contrast(level, pair, metric)
    if cell is None:
        return Answer(question, "not measured")
    found = (decide_dice if metric == "dice" else decide)(cell, sure)
    words = {"helped": "yes", "harmed": "no", "no difference": "not shown"}
    return _told(question, words[found], UNITS[metric], cell)


def does_no_harm(question: str, level: Report | None, pair: str) -> Answer:
    """Is the whole interval of the difference of MAE below `HARM`? ``no`` only where that much harm is shown."""
    cell = _contrast(level, pair, "mae")
    if cell is None:
        return Answer(question, "not measured")
    low, high = cell["ci"]
    return _told(question, "yes" if high < HARM else "no" if low >= HARM else "not shown", UNITS["mae"], cell)


def recovers_half(question: str, level: Report | None, base: str) -> Answer:
    """Is the share of the oracle's gain at least `HALF`? The estimate answers; its interval says how sure that is.

    Where the oracle itself may gain nothing, there is nothing to have a share of: ``not shown``.
    """
    found = ((level or {}).get("gains") or {}).get(base)
    if found is None:
        return Answer(question, "not measured")
    ends = None if found["ci"] is None else (found["ci"][0], found["ci"][1])
    words = "not shown" if ends is None else "yes" if found["gain"] >= HALF else "no"
    reason = found.get("reason", "")
    return Answer(question, words, "of the oracle's gain", found["gain"], ends, reason=reason)


def has_pool(report: Report | None) -> Answer:
    """Were there enough unlabelled hearts?"""
    question = f"Were there at least {POOL} unlabelled TRAIN hearts beside the {FEW} labelled ones?"
    if report is None or level_of(report, FEW) is None:
        return Answer(question, "not measured")
    count = report["hearts"]["train"] - FEW
    return Answer(question, "yes" if count >= POOL else "no", "hearts", count)


UNITS = {"mae": "EF points", "dice": "Dice"}
BETTER = "Is the EF error with {first} smaller than with {second} at {n} labelled hearts?"
HARMLESS = "Does {first} do no harm against {second} at {n} labelled hearts (less than {harm} EF points)?"
GAIN = "Does {first} bring at least half of what exact counterfactuals bring over {second} at {n} labelled hearts?"
MASKS = "Are the LV masks with {first} better than with {second} at {n} labelled hearts (Dice)?"


def ask(ef: Report | None, masks: Report | None) -> list[Answer]:
    """Every question with its answer, those of the acceptance first.

    Args:
        ef: ``report.json`` of ``benchmark experiment=evidence``; None where it was not run.
        masks: that of ``benchmark experiment=evidence_segmentation``.
    """
    few, more, drawn = level_of(ef, FEW), level_of(ef, MORE), level_of(masks, FEW)
    sure = [float((report or {}).get("level", 0.95)) for report in (ef, masks)]

    def better(first: str, second: str) -> Answer:
        words = BETTER.format(first=first, second=second, n=FEW)
        return is_better(words, few, f"{first}-{second}", "mae", sure[0])

    def harmless(first: str, second: str) -> Answer:
        words = HARMLESS.format(first=first, second=second, n=MORE, harm=HARM)
        return does_no_harm(words, more, f"{first}-{second}")

    def sharper(first: str, second: str) -> Answer:
        words = MASKS.format(first=first, second=second, n=FEW)
        return is_better(words, drawn, f"{first}-{second}", "dice", sure[1])

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


ACCEPTANCE = 7  # the first so many of `ask` are what was to be reached; the others explain them


def what_limits(ef: Report | None) -> list[str]:
    """What stands between ``synthetic`` and more, as far as the arms at `FEW` labels can tell."""
    level = level_of(ef, FEW)
    room, left = _contrast(level, "oracle-real", "mae"), _contrast(level, "synthetic-oracle", "mae")
    if room is None or left is None:
        return [f"At {FEW} labelled hearts real, synthetic and oracle were not all measured: it cannot be told."]
    found = []
    if decide(room) != "helped":
        found.append(
            "That exact counterfactuals lower the error could not be shown "
            f"({room['diff']:+.2f} EF points, {room['ci'][0]:+.2f} to {room['ci'][1]:+.2f}), and so no room for a "
            "better generator: with this number and share of clips even perfect ones may bring little."
        )
    if decide(left) == "harmed":
        found.append(
            f"As many exact counterfactuals of the same labelled hearts do better by {left['diff']:.2f} EF points "
            f"({left['ci'][0]:.2f} to {left['ci'][1]:.2f}): the number of clips and the mixing are the same, so what "
            "is missing is in the generator's clips, their motion or their looks."
        )
    else:
        found.append(
            "That the generator's clips bring less than as many exact counterfactuals could not be shown "
            f"({left['diff']:+.2f} EF points, {left['ci'][0]:+.2f} to {left['ci'][1]:+.2f}): here the "
            "generator is not what is known to limit."
        )
    return found
