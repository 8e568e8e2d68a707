"""The answer in a sentence: it helped, it harmed, or no difference could be shown."""

from collections.abc import Mapping
from typing import Any

NAMES = {"synthetic": "Synthetic augmentation", "classical": "Classical augmentation", "oracle": "The oracle"}


def decide(contrast: Mapping[str, Any]) -> str:
    """``helped``, ``harmed``, ``no difference`` or ``unknown`` from the difference of an error (arm minus real)."""
    if contrast["ci"] is None:
        return "unknown"
    low, high = contrast["ci"]
    if high < 0:
        return "helped"
    return "harmed" if low > 0 else "no difference"


def verdict(report: Mapping[str, Any], arm: str = "synthetic") -> str:
    """What a report's figures say about ``arm`` against ``real``, in plain words.

    Args:
        report: with ``arms`` and ``contrasts`` as in ``report.json``.
        arm: the arm in question.
    """
    contrast = report["contrasts"].get(f"{arm}-real")
    if contrast is None:
        return f"There is no comparison of {arm} with real: one of these arms was not trained."
    mae = contrast["mae"]
    before, after = (report["arms"][name]["mae"]["mean"] for name in ("real", arm))
    name = NAMES.get(arm, f"The arm {arm}")
    means = f"mean absolute EF error {before:.2f} points without, {after:.2f} with"
    answer = decide(mae)
    if answer == "unknown":
        return f"Whether {name[0].lower() + name[1:]} helped cannot be said: {mae['reason']} ({means})."
    percent = round(100 * float(report.get("level", 0.95)))
    low, high = mae["ci"]
    if answer == "no difference":
        text = f"{name} made no difference that could be shown: it changed the error by {mae['diff']:+.2f} EF points"
        text += f" ({percent} % interval {low:+.2f} to {high:+.2f}; {means})."
        if mae.get("detectable"):
            text += f" A true difference of {mae['detectable']:.1f} points would have been found with 80 % power."
        return text
    verb, size, ends = (
        ("lowered", -mae["diff"], (-high, -low)) if answer == "helped" else ("raised", mae["diff"], (low, high))
    )
    share = 100 * size / before if before else 0.0
    return (
        f"{name} {answer}: it {verb} the error by {size:.2f} EF points, {share:.0f} % "
        f"({percent} % interval {ends[0]:.2f} to {ends[1]:.2f}; {means})."
    )


def gain_sentence(report: Mapping[str, Any]) -> str:
    """How much of the oracle's gain the generator brought; empty where that cannot be said."""
    gain = report["recovered_gain"]
    if gain is None:
        return ""
    return f"It brought {100 * gain:.0f} % of what exact counterfactuals (the oracle) bring on the same data."
