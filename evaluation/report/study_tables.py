"""Tables of what was declared before a run, of tuning, of further TEST videos, and of patients who change sides."""

from collections.abc import Sequence
from pathlib import Path

from ..statistics.results import ColumnLevel, LevelFigures
from .content import BenchmarkReport, PrimaryAnswer, Tuning
from .tables import MISSING, Table, interval, number, p_words, percent, seeds, with_interval
from .verdict import Judged

EXPLORATORY = (
    "p (Holm): corrected over these questions, which were declared before the run. Every other difference on this page "
    "is exploratory: it shows where to look, and is no test."
)
TUNED = (
    "Chosen on videos that are in no figure of this page, by the mean over seeds on their TEST split; arms in this "
    "order, each with what was chosen before. Of equal values the first."
)
CROSSED = (
    "Patients whose predicted EF lies on another side with the first arm than with the second, the mean over seeds; "
    "share of all TEST patients in brackets. Net: the difference of the shares on the wrong side, with its interval."
)


def primary_table(report: BenchmarkReport, judged: Judged) -> Table:
    """Return the answers to the questions that a benchmark declared primary."""
    rows = [primary_row(one, report.level, judged) for one in report.primary]
    header = ["question", "arms", "difference", percent(report.level), "p", "p (Holm)", "detectable", "answer"]
    return Table(header, rows, [judged.good, EXPLORATORY])


def primary_row(one: PrimaryAnswer, level: float, judged: Judged) -> list[str]:
    """Return the cells of one answer."""
    cell, signed = one.contrast, "+" + judged.form
    where = f", EF {_range(one.low, one.high)}" if one.low is not None or one.high is not None else ""
    where += f", on {one.test}" if one.test else ""
    return [
        f"{one.number}. {one.question}",
        f"{one.pair.replace('-', ' against ')}, {one.labelled} labels{where} ({one.videos} videos)",
        number(cell.diff, signed),
        interval(cell.ci, signed),
        p_words(cell.p),
        p_words(cell.p_holm),
        number(cell.detectable, judged.form),
        judged.answer(cell, level),
    ]


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"below {high:g}"
    return f"{low:g} and above" if high is None else f"{low:g} to {high:g}"


def column_table(found: ColumnLevel, level: float, judged: Judged) -> Table:
    """Return the arms and the differences between them on further TEST videos."""
    signed = "+" + judged.form
    rows = [
        [arm, number(one.mean, judged.form), interval(one.ci, judged.form), seeds(one, judged.form), MISSING]
        for arm, one in found.arms.items()
    ]
    for pair, cell in found.contrasts.items():
        words = pair.replace("-", " less ", 1)
        rows.append(
            [words, number(cell.diff, signed), interval(cell.ci, signed), p_words(cell.p), judged.answer(cell, level)]
        )
    header = [
        f"{found.labelled} labels, {found.videos} TEST videos",
        judged.name,
        percent(level),
        "single seeds, or p",
        "answer",
    ]
    return Table(header, rows, ["Exploratory, unless it is among the questions that were declared before."])


def tuning_table(tuned: Sequence[Tuning], judged: Judged) -> Table:
    """Return the grids, what each value brought, and what was chosen."""
    rows = []
    for one in tuned:
        grid = ", ".join(f"{value.value}: {number(value.figure, judged.form)}" for value in one.values)
        also = f" (and {', '.join(one.also)})" if one.also else ""
        size = f"{one.labelled} labels, {len(one.seeds)} seeds, {one.videos} TEST videos"
        size += f"; by {Path(one.taken_from).name}" if one.taken_from else ""
        rows.append([f"{one.arm}.{one.key}{also}", grid, one.chosen, size])
    return Table(["setting", f"grid: {judged.name}", "chosen", "tuned on"], rows, [TUNED])


def crossing_table(found: LevelFigures) -> Table:
    """Return how many TEST patients change the side of EF 50 and 40 between the arms of each pair."""
    rows = []
    for one in found.crossings:
        net = found.contrast(one.pair, f"wrong_side_{one.cut:g}")
        share = MISSING if net is None else f"{number(100 * net.diff, '+.1f')} %"
        if net is not None and net.ci is not None:
            share += f" ({interval([100 * end for end in net.ci], '+.1f')})"
        cells = [f"{count:.1f} ({100 * count / one.videos:.1f} %)" for count in (one.righted, one.wronged)]
        rows.append([one.pair.replace("-", " against ", 1), f"{one.cut:g}", str(one.videos), *cells, share])
    header = ["arms", "EF", "TEST patients", "to the right side", "to the wrong side", "net, wrong side"]
    return Table(header, rows, [CROSSED])


def range_table(found: LevelFigures) -> Table:
    """Return the error of every arm within ranges of the true EF, with its interval, and the number of videos."""
    ranges = {part.range: part.videos for arm in found.arms.values() for part in arm.by_range}
    rows = []
    for name, arm in found.arms.items():
        there = {
            part.range: f"{with_interval(part.mae)}, bias {number(part.bias.mean, '+.1f')}" for part in arm.by_range
        }
        rows.append([name, *(there.get(part, MISSING) for part in ranges)])
    header = [f"EF {part} ({videos} {'video' if videos == 1 else 'videos'})" for part, videos in ranges.items()]
    return Table(["MAE of arm", *header], rows)
