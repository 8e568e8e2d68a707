"""The answer in a sentence: it helped, it harmed, or no difference could be shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..statistics.results import Contrast, LevelFigures
from .content import BenchmarkReport

NAMES = {"synthetic": "Synthetic augmentation", "classical": "Classical augmentation", "oracle": "The oracle"}


def decide(contrast: Contrast, level: float = 0.95, *, smaller_is_better: bool = True) -> str:
    """Return ``helped``, ``harmed``, ``no difference`` or ``unknown``, from a difference (arm minus real).

    Where the contrast is one of several tests of one question, its p-value after Holm's correction has to be below
    ``1 - level``, too.

    >>> decide(Contrast(diff=-1.9, ci=(-2.7, -1.1), p=0.001, detectable=1.2))
    'helped'
    >>> decide(Contrast(diff=-1.9, ci=(-2.7, -1.1), p=0.04, detectable=1.2, p_holm=0.08, tests=2))
    'no difference'
    """
    if contrast.ci is None:
        return "unknown"
    low, high = contrast.ci
    if low <= 0 <= high or (contrast.p_holm or 0.0) >= 1 - level + 1e-12:
        return "no difference"
    return "helped" if (high < 0) == smaller_is_better else "harmed"


Tell = Callable[[str, str, Contrast, int, float, str], str]
"""The sentence from the arm's name, the answer, the contrast, the interval's percent, the mean of ``real``, and both
means in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A figure that a verdict, a table and a plot are about, and how they tell it.

    Attributes:
        name: what people call it; in small letters its key in the report.
        smaller_is_better: whether it is an error.
        forms: format of its numbers without a sign, and of a detectable difference in words.
        columns: what a table of differences says above the two arms and above the difference; the second is its unit.
        good: which sign is good.
        answers: what a shown difference below 0 is called, and one above 0.
        means: what the sentence says of both arms, with ``{before}`` and ``{after}``.
        tell: makes the sentence.
        axis: what the axis of a plot says.
    """

    name: str
    smaller_is_better: bool
    forms: tuple[str, str]
    columns: tuple[str, str]
    good: str
    answers: tuple[str, str]
    means: str
    tell: Tell
    axis: str

    @property
    def metric(self) -> str:
        """Key of the figure in the report."""
        return self.name.lower()

    @property
    def form(self) -> str:
        """Format of its numbers, without a sign."""
        return self.forms[0]

    @property
    def unit(self) -> str:
        """Unit of a difference."""
        return self.columns[1]

    def decide(self, contrast: Contrast, level: float) -> str:
        """Return the answer, see `decide`."""
        return decide(contrast, level, smaller_is_better=self.smaller_is_better)

    def difference(self, contrast: Contrast) -> str:
        """Return a difference with its unit and, if it has one, its interval: ``-1.90 EF points (-2.70 to -1.10)``."""
        form = "+" + self.form
        text = f"{contrast.diff:{form}} {self.unit}"
        return text if contrast.ci is None else f"{text} ({contrast.ci[0]:{form}} to {contrast.ci[1]:{form}})"

    def answer(self, contrast: Contrast, level: float) -> str:
        """Return the answer for a table; "no difference" with the difference that would have been found."""
        found = self.decide(contrast, level)
        if found == "unknown":
            return "cannot be said"
        if found == "no difference":
            size = contrast.detectable
            return "no difference shown" + (f"; {size:{self.forms[1]}} would have been found" if size else "")
        return self.answers[(found == "helped") != self.smaller_is_better]


def _tell_error(name: str, answer: str, mae: Contrast, percent: int, before: float, means: str) -> str:
    low, high = mae.ci or (mae.diff, mae.diff)
    if answer == "no difference":
        text = f"{name} made no difference that could be shown: it changed the error by {mae.diff:+.2f} EF points"
        return text + f" ({percent} % interval {low:+.2f} to {high:+.2f}; {means})."
    verb, size, ends = (
        ("lowered", -mae.diff, (-high, -low)) if answer == "helped" else ("raised", mae.diff, (low, high))
    )
    share = 100 * size / before if before else 0.0
    return (
        f"{name} {answer}: it {verb} the error by {size:.2f} EF points, {share:.0f} % "
        f"({percent} % interval {ends[0]:.2f} to {ends[1]:.2f}; {means})."
    )


def _tell_dice(name: str, answer: str, dice: Contrast, percent: int, _: float, means: str) -> str:
    low, high = dice.ci or (dice.diff, dice.diff)
    words = f"{dice.diff:+.3f} ({percent} % interval {low:+.3f} to {high:+.3f}; {means})."
    if answer == "no difference":
        return f"{name} made no difference to the masks that could be shown: Dice {words}"
    return f"{name} {answer}: Dice {words}"


EF_ERROR = Judged(
    name="MAE",
    smaller_is_better=True,
    forms=(".2f", ".1f"),
    columns=("difference of MAE", "EF points"),
    good="Negative: the first arm's error is smaller.",
    answers=("smaller error", "larger error"),
    means="mean absolute EF error {before:.2f} points without, {after:.2f} with",
    tell=_tell_error,
    axis="EF error on TEST (MAE), EF points",
)
DICE = Judged(
    name="Dice",
    smaller_is_better=False,
    forms=(".3f", ".3f"),
    columns=("difference of", "Dice"),
    good="Positive: the first arm's masks are better.",
    answers=("lower Dice", "higher Dice"),
    means="mean Dice {before:.3f} without, {after:.3f} with",
    tell=_tell_dice,
    axis="Dice on TEST",
)
JUDGED = {"ef": EF_ERROR, "segmentation": DICE}


def verdict(found: LevelFigures, level: float = 0.95, *, arm: str = "synthetic", judged: Judged = EF_ERROR) -> str:
    """Return what the figures say about ``arm`` against ``real``, in plain words.

    Args:
        found: figures at one number of labels.
        level: coverage of the intervals.
        arm: the arm in question.
        judged: the figure that it is judged by.

    >>> from echo_augment.evaluation.statistics.results import ArmEstimate, ArmFigures
    >>> arms = {
    ...     name: ArmFigures(figures={"mae": ArmEstimate(mean=mean, ci=None, per_seed=(mean,))})
    ...     for name, mean in (("real", 9.36), ("synthetic", 6.42))
    ... }
    >>> mae = Contrast(diff=-2.94, ci=(-3.83, -2.01), p=0.0002, detectable=1.28)
    >>> figures = {"labelled": 16, "label_fraction": 0.03, "recovered_gain": None, "gains": {}}
    >>> verdict(LevelFigures(arms=arms, contrasts={"synthetic-real": {"mae": mae}}, **figures))[:82]
    'Synthetic augmentation helped: it lowered the error by 2.94 EF points, 31 % (95 % '
    """
    contrast = found.contrast(f"{arm}-real", judged.metric)
    if contrast is None:
        return f"There is no comparison of {arm} with real: one of these arms was not trained."
    before, after = (found.arms[name][judged.metric].mean for name in ("real", arm))
    name, means = NAMES.get(arm, f"The arm {arm}"), judged.means.format(before=before, after=after)
    answer = judged.decide(contrast, level)
    if answer == "unknown":
        return f"Whether {name[0].lower() + name[1:]} helped cannot be said: {contrast.reason} ({means})."
    text = judged.tell(name, answer, contrast, round(100 * level), before, means)
    if answer == "no difference" and contrast.detectable:
        unit = " points" if judged.unit == "EF points" else ""
        size = f"{contrast.detectable:{judged.forms[1]}}{unit}"
        text += f" A true difference of {size} would have been found with 80 % power."
    return text


def gain_sentence(found: LevelFigures, level: float = 0.95) -> str:
    """Return how much of the oracle's gain the generator brought; empty where that cannot be said."""
    if found.recovered_gain is None:
        return ""
    share = f"{100 * found.recovered_gain:.0f} %"
    text = f"It brought {share} of what exact counterfactuals (the oracle) bring on the same data"
    gain = found.gains.get("real")
    if gain is not None and gain.ci is not None:
        low, high = (100 * end for end in gain.ci)
        return f"{text} ({100 * level:.0f} % interval {low:.0f} to {high:.0f} %)."
    return f"{text}; there is no interval: {gain.reason}." if gain is not None and gain.reason else f"{text}."


def whole_verdict(found: LevelFigures, level: float, judged: Judged) -> str:
    """Return whether ``synthetic`` helped, and how much of the oracle's gain it brought."""
    return " ".join(filter(None, [verdict(found, level, judged=judged), gain_sentence(found, level)]))


def plain_words(found: LevelFigures, arm: str = "synthetic") -> str:
    """Return what the EF figures mean for patients, without statistics; empty without these arms."""
    if not {arm, "real"} <= set(found.arms):
        return ""
    before, after = (found.arms[name] for name in ("real", arm))
    noun = "video" if found.labelled == 1 else "videos"
    text = (
        f"With {found.labelled} labelled {noun}, an automatic EF reading is off "
        f"by {before['mae'].mean:.1f} EF points on average when trained on these alone, and by "
        f"{after['mae'].mean:.1f} when trained with {NAMES.get(arm, f'the arm {arm}').lower()}"
    )
    wrong = [side.figures["wrong_side_50"].mean for side in (before, after) if "wrong_side_50" in side.figures]
    if len(wrong) < 2:
        return text + "."
    return (
        text + f"; of 100 patients, {100 * wrong[0]:.0f} and {100 * wrong[1]:.0f} are put on the wrong side of EF 50 %."
    )


def fraction_words(report: BenchmarkReport, arm: str = "synthetic", judged: Judged = EF_ERROR) -> Sequence[str]:
    """Return the answer for every number of labels, if there are several."""
    lines = []
    for level in report.fractions:
        cell = level.contrast(f"{arm}-real", judged.metric)
        if cell is None:
            continue
        words = judged.answer(cell, report.level)
        lines.append(f"{level.labelled} labelled videos: {judged.difference(cell)}: {words}")
    return lines
