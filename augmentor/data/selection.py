"""Which videos of a table a data set holds, and which it leaves out and why: pure functions of the table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from echo_augment.cache.errors import EchoAugmentError

from .probe import probe_video
from .records import Problem, VideoInfo
from .splits import SplitChoice
from .table import LABELS, VIDEOS, EchoTable

OnError = Literal["raise", "skip"]

# Place of the frame among the traced ones, which are ordered small (end-systole) to large (end-diastole).
FRAME_TARGETS = {"LargeFrame": -1, "SmallFrame": 0}
TRACE_TARGETS = {"LargeTrace": -1, "SmallTrace": 0}
INDEX_TARGETS = {"LargeIndex": -1, "SmallIndex": 0}
TRACED = frozenset({*FRAME_TARGETS, *TRACE_TARGETS, *INDEX_TARGETS})

CLINICAL = "CLINICAL_TEST"
CLINICAL_VIDEOS = "ProcessedStrainStudyA4c"
ROW_PROBLEMS = frozenset({"name", "missing", "duplicate", "split", "row"})


class Skipped(NamedTuple):
    """A video that was left out, and why."""

    name: str
    reason: str


class Selection(NamedTuple):
    """The videos of a data set and those left out."""

    rows: list[VideoInfo]
    skipped: list[Skipped]


def select_rows(
    table: EchoTable,
    split: SplitChoice,
    target_type: Sequence[str],
    *,
    on_error: OnError = "raise",
    require_tracings: bool | None = None,
) -> Selection:
    """The videos of ``split`` that can give ``target_type``.

    Only what the targets need can be wrong: a NaN EF matters when EF is asked for, a bad tracing when traces are.

    Args:
        table: of the data set.
        split: as in `splits.split_filter`.
        target_type: targets of `EchoNetDynamic`.
        on_error: raise on the first problem, or skip and list such videos.
        require_tracings: leave out videos with fewer than two traced frames; None where tracings could be read.

    Raises:
        EchoAugmentError: an unknown target, no tracings at all where they are needed, an empty split, or a problem.
    """
    clinical = isinstance(split, str) and split.upper() == CLINICAL
    needs_traces = not TRACED.isdisjoint(target_type)
    known = {"Filename", *TRACED, *table.header}
    unknown = [name for name in target_type if name not in known]
    if unknown and not clinical:
        there = ", ".join(sorted(known - {"FileName"}))
        raise EchoAugmentError(f"target_type {unknown[0]!r} is not known", f"There are: {there}")
    if (needs_traces or require_tracings) and not table.has_tracings:
        raise next(problem for problem in table.problems if problem.kind == "tracing" and not problem.video).error()

    problems = relevant_problems(table, split, target_type)
    if problems and on_error == "raise":
        raise summary(problems)
    skipped = [Skipped(problem.video, problem.message) for problem in problems]
    # Rows with ROW_PROBLEMS are not in the table; of a row that is repeated unchanged, the first is, and is good.
    bad = {problem.video for problem in problems if problem.kind not in ROW_PROBLEMS}
    rows = [row for row in table.split(split) if row.name not in bad]
    if needs_traces or (table.has_tracings if require_tracings is None else require_tracings):
        untraced = [row for row in rows if len(table.tracings.get(row.name, {})) < 2]
        skipped += [Skipped(row.name, "fewer than two traced frames") for row in untraced]
        lost = {row.name for row in untraced}
        rows = [row for row in rows if row.name not in lost]
    if clinical:
        old, new = table.root / VIDEOS, table.root / CLINICAL_VIDEOS
        rows = [replace(row, path=new / row.path.relative_to(old)) for row in rows]
    return Selection(rows, skipped)


def relevant_problems(table: EchoTable, split: SplitChoice, target_type: Sequence[str]) -> list[Problem]:
    """The table's problems that keep videos of ``split`` from giving ``target_type``."""
    kinds = ROW_PROBLEMS | (LABELS.keys() & set(target_type))
    if not TRACED.isdisjoint(target_type):
        kinds |= {"tracing"}
    names = {row.name for row in table.rows}
    return [
        problem
        for problem in table.problems_of(split)
        if problem.kind in kinds and (problem.kind != "tracing" or problem.video in names)
    ]


def summary(problems: Sequence[Problem]) -> EchoAugmentError:
    """The first problem as an error that counts the others."""
    first = problems[0].error()
    more = Counter(problem.kind for problem in problems[1:])
    if not more:
        return first
    counts = ", ".join(f"{count} x {kind}" for kind, count in more.items())
    return EchoAugmentError(
        f"{first.message} (and {len(problems) - 1} more: {counts})",
        f'{first.remedy}; on_error="skip" leaves such videos out, echo-augment doctor lists them all',
    )


def openable(rows: Iterable[VideoInfo]) -> Selection:
    """The rows whose file opens and has a first frame (0.4 ms each)."""
    kept, skipped = [], []
    for row in rows:
        try:
            probe_video(row.path)
        except EchoAugmentError as error:
            skipped.append(Skipped(row.name, str(error)))
        else:
            kept.append(row)
    return Selection(kept, skipped)
