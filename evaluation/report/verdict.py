"""The answer in a sentence: it helped, it harmed, or no difference could be shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NAMES = {"synthetic": "Synthetic augmentation", "classical": "Classical augmentation", "oracle": "The oracle"}


def decide(contrast: Mapping[str, Any], level: float = 0.95) -> str:
    """``helped``, ``harmed``, ``no difference`` or ``unknown`` from the difference of an error (arm minus real).

    Where the contrast is one of several tests of one question, its p-value after Holm's correction has to be below
    ``1 - level``, too.
    """
    if contrast["ci"] is None:
        return "unknown"
    low, high = contrast["ci"]
    if low <= 0 <= high or (contrast.get("p_holm") or 0.0) >= 1 - level + 1e-12:
        return "no difference"
    return "helped" if high < 0 else "harmed"


def answer_words(contrast: Mapping[str, Any], level: float = 0.95) -> str:
    """The answer as a table has it: with every "no difference shown", the difference that would have been found."""
    answer = decide(contrast, level)
    if answer == "no difference":
        found = contrast.get("detectable")
        return "no difference shown" + (f"; {found:.1f} would have been found" if found else "")
    return {"helped": "smaller error", "harmed": "larger error", "unknown": "cannot be said"}[answer]


def plain_words(report: Mapping[str, Any], arm: str = "synthetic") -> str:
    """What the figures mean for patients, without statistics; empty where the arms are not there."""
    if not {arm, "real"} <= set(report["arms"]):
        return ""
    before, after = (report["arms"][name] for name in ("real", arm))
    count = report["labelled_hearts"]
    text = (
        f"With {count} labelled {'heart' if count == 1 else 'hearts'}, an automatic EF reading is off by "
        f"{before['mae']['mean']:.1f} EF points on average when trained on these alone, and by "
        f"{after['mae']['mean']:.1f} when trained with {NAMES.get(arm, f'the arm {arm}').lower()}"
    )
    wrong = [side.get("wrong_side_50", {}).get("mean") for side in (before, after)]
    if None in wrong:
        return text + "."
    return (
        text + f"; of 100 hearts, {100 * wrong[0]:.0f} and {100 * wrong[1]:.0f} are put on the wrong side of EF 50 %."
    )


def fraction_words(report: Mapping[str, Any], arm: str = "synthetic") -> list[str]:
    """The answer for every number of labels, where there are several."""
    lines = []
    for level in report.get("fractions") or []:
        contrast = level["contrasts"].get(f"{arm}-real")
        if contrast is None:
            continue
        mae = contrast["mae"]
        ends = "" if mae["ci"] is None else f" ({mae['ci'][0]:+.2f} to {mae['ci'][1]:+.2f})"
        words = answer_words(mae, report.get("level", 0.95))
        lines.append(f"{level['labelled_hearts']} labelled hearts: {mae['diff']:+.2f} EF points{ends}: {words}")
    return lines


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that a verdict is about.

    Attributes:
        metric: its name in the report.
        means: the sentence part on both arms, with ``{before}`` and ``{after}``.
        detectable: how a detectable difference is told, with ``{size}``.
        decide: the answer from a contrast and a level.
        tell: the sentence from the arm's name, the answer, the contrast, the percent of the interval, the mean of
            `real` and the means in words.
    """

    metric: str
    means: str
    detectable: str
    decide: Callable[[Mapping[str, Any], float], str]
    tell: Callable[[str, str, Mapping[str, Any], int, float, str], str]


def _tell_error(name: str, answer: str, mae: Mapping[str, Any], percent: int, before: float, means: str) -> str:
    low, high = mae["ci"]
    if answer == "no difference":
        text = f"{name} made no difference that could be shown: it changed the error by {mae['diff']:+.2f} EF points"
        return text + f" ({percent} % interval {low:+.2f} to {high:+.2f}; {means})."
    verb, size, ends = (
        ("lowered", -mae["diff"], (-high, -low)) if answer == "helped" else ("raised", mae["diff"], (low, high))
    )
    share = 100 * size / before if before else 0.0
    return (
        f"{name} {answer}: it {verb} the error by {size:.2f} EF points, {share:.0f} % "
        f"({percent} % interval {ends[0]:.2f} to {ends[1]:.2f}; {means})."
    )


EF_ERROR = Figure(
    "mae",
    "mean absolute EF error {before:.2f} points without, {after:.2f} with",
    "{size:.1f} points",
    decide,
    _tell_error,
)


def verdict(report: Mapping[str, Any], arm: str = "synthetic", figure: Figure = EF_ERROR) -> str:
    """What a report's figures say about ``arm`` against ``real``, in plain words.

    Args:
        report: with ``arms`` and ``contrasts`` as in ``report.json``.
        arm: the arm in question.
        figure: what it is judged by.
    """
    contrast = report["contrasts"].get(f"{arm}-real")
    if contrast is None:
        return f"There is no comparison of {arm} with real: one of these arms was not trained."
    level, cell = float(report.get("level", 0.95)), contrast[figure.metric]
    before, after = (report["arms"][name][figure.metric]["mean"] for name in ("real", arm))
    name, means = NAMES.get(arm, f"The arm {arm}"), figure.means.format(before=before, after=after)
    answer = figure.decide(cell, level)
    if answer == "unknown":
        return f"Whether {name[0].lower() + name[1:]} helped cannot be said: {cell['reason']} ({means})."
    text = figure.tell(name, answer, cell, round(100 * level), before, means)
    if answer == "no difference" and cell.get("detectable"):
        size = figure.detectable.format(size=cell["detectable"])
        text += f" A true difference of {size} would have been found with 80 % power."
    return text


def gain_sentence(report: Mapping[str, Any]) -> str:
    """How much of the oracle's gain the generator brought; empty where that cannot be said."""
    gain = report.get("recovered_gain")
    if gain is None:
        return ""
    text = f"It brought {100 * gain:.0f} % of what exact counterfactuals (the oracle) bring on the same data"
    found = (report.get("gains") or {}).get("real") or {}
    if found.get("ci"):
        low, high = (100 * end for end in found["ci"])
        return f"{text} ({100 * report.get('level', 0.95):.0f} % interval {low:.0f} to {high:.0f} %)."
    return f"{text}; there is no interval: {found['reason']}." if found.get("reason") else f"{text}."
