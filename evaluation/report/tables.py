"""The report's tables: what is in them; how they look is `echo_augment.evaluation.report.pages`'s."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..statistics.results import ArmEstimate, LevelFigures
from .content import BenchmarkReport
from .verdict import EF_ERROR, Judged

MISSING = "–"
PUBLISHED = (
    "Published rows are the papers' own figures on EchoNet-Dynamic's TEST split, with other labelled subsets and "
    "training lengths, and are not part of any test."
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of words: header, rows, and notes below it. ``run`` says that its cells are long."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    run: bool = False


def number(value: float | None, form: str = ".2f") -> str:
    """Return a figure as text, or a dash if it is undefined."""
    return MISSING if value is None or math.isnan(value) else format(value, form)


def interval(ends: Sequence[float] | None, form: str = ".2f") -> str:
    """Return an interval as text, or a dash."""
    return MISSING if ends is None else f"{ends[0]:{form}} to {ends[1]:{form}}"


def with_interval(found: ArmEstimate, form: str = ".2f") -> str:
    """Return a figure as text, its interval behind it."""
    text = number(found.mean, form)
    return text if found.ci is None or text == MISSING else f"{text} ({interval(found.ci, form)})"


def seeds(found: ArmEstimate, form: str = ".2f") -> str:
    """Return the figures of the single seeds as text."""
    return ", ".join(number(value, form) for value in found.per_seed)


def p_words(p: float | None) -> str:
    """Return a p-value as text."""
    return "< 0.001" if p is not None and p < 0.001 else number(p, ".3f")


def percent(level: float) -> str:
    """Return the title of a column of intervals."""
    return f"{100 * level:.0f} % interval"


def contrast_table(found: LevelFigures, level: float, judged: Judged = EF_ERROR, *, several: bool = False) -> Table:
    """Return the differences of a figure between arms, paired by video and seed.

    Args:
        found: figures at one number of labels.
        level: coverage of the intervals.
        judged: the figure.
        several: whether there are other numbers of labels, over which p was corrected.
    """
    rows, signed = [], "+" + judged.form
    for pair, cells in found.contrasts.items():
        cell = cells[judged.metric]
        first, second = pair.split("-", 1)
        row = [f"{first} against {second}", number(cell.diff, signed), interval(cell.ci, signed)]
        row += [p_words(cell.p), *([p_words(cell.p_holm)] if several else [])]
        rows.append([*row, number(cell.detectable, judged.form), judged.answer(cell, level)])
    header = [
        *judged.columns,
        percent(level),
        "p",
        *(["p (Holm)"] if several else []),
        "detectable",
        "answer",
    ]
    notes = [
        f"{judged.good} Intervals: BCa bootstrap over videos, paired by video and seed, "
        "widened for few seeds. Detectable: the true difference that this design would find with 80 % power."
    ]
    if several:
        notes.append("p (Holm): corrected over the numbers of labels; the answer takes it into account.")
    return Table(header, rows, notes)


def fraction_table(report: BenchmarkReport, judged: Judged = EF_ERROR) -> Table:
    """Return a figure of every arm for every number of labels, beside published rows if there are any."""
    levels = report.levels
    rows = [
        [name, *(with_interval(level.arms[name][judged.metric], judged.form) for level in levels)]
        for name in levels[0].arms
    ]
    asked = [str(labels) for labels in report.config["labels"][: len(levels)]]
    rows += [[f"published: {row.name}", *(number(row.mae.get(labels)) for labels in asked)] for row in report.published]
    header = [f"{level.labelled} ({100 * level.label_fraction:.3g} %)" for level in levels]
    notes = [PUBLISHED] if report.published else []
    if notes and report.data != "echonet":
        notes.append("These are not the published table's data: the rows stand side by side to show the form only.")
    return Table([f"{judged.name} of arm, labelled videos:", *header], rows, notes)


def missing_notes(found: LevelFigures, metrics: Sequence[str], words: str) -> list[str]:
    """Return why some arms have no interval of some metrics, each reason once after ``words``."""
    reasons = {arm[metric].reason for arm in found.arms.values() for metric in metrics} - {""}
    return [f"{words}: {reason}." for reason in sorted(reasons)]
