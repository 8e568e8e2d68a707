"""Choose the videos of a table that a dataset holds, and say why the others are left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from echo_augment.cache.errors import EchoAugmentError

from .layouts.rows import LABELS
from .probe import as_filed, disagreement, probe_video, warn_of_disagreements
from .records import Problem, VideoInfo
from .splits import SplitChoice
from .table import EchoTable
from .targets import TRACED

OnError = Literal["raise", "skip"]
ON_ERROR = ("raise", "skip")

CLINICAL = "CLINICAL_TEST"
CLINICAL_VIDEOS = "ProcessedStrainStudyA4c"
ROW_PROBLEMS = frozenset({"name", "missing", "duplicate", "split", "row"})


class Skipped(NamedTuple):
    """A video that was left out, and why."""

    name: str
    reason: str


class Selection(NamedTuple):
    """The videos of a dataset and those left out."""

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
    """Select the videos of ``split`` that can give ``target_type``.

    Only what the targets need counts as wrong: a NaN EF if EF is asked for, a bad tracing if traces are.

    Args:
        table: table of the dataset.
        split: splits as in `splits.split_filter`.
        target_type: targets of `EchoNetDynamic`.
        on_error: raise on the first problem, or skip and list such videos.
        require_tracings: leave out videos with fewer than two traced frames; None means if tracings could be read.

    Raises:
        EchoAugmentError: a target is unknown, tracings are needed and there are none, the split is empty, or
            ``on_error`` is ``"raise"`` and a video has a problem.
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
        if many := many_missing(table, problems):
            raise many
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
        old = table.files.lists[0].folders[0]
        new = old.parent / CLINICAL_VIDEOS
        rows = [replace(row, path=new / row.path.relative_to(old)) for row in rows]
    return Selection(rows, skipped)


def relevant_problems(table: EchoTable, split: SplitChoice, target_type: Sequence[str]) -> list[Problem]:
    """Return the problems that keep videos of ``split`` from giving ``target_type``."""
    kinds = ROW_PROBLEMS | (LABELS.keys() & set(target_type))
    if not TRACED.isdisjoint(target_type):
        kinds |= {"tracing"}
    names = {row.name for row in table.rows}
    return [
        problem
        for problem in table.problems_of(split)
        if problem.kind in kinds and (problem.kind != "tracing" or problem.video in names)
    ]


MANY = 20  # rows without a video: more are a part of a dataset, not single files that were lost


def many_missing(table: EchoTable, problems: Sequence[Problem]) -> EchoAugmentError | None:
    """Return one error for many rows without a video, saying whether the rest can be used; None if they are few."""
    missing = [problem.video for problem in problems if problem.kind == "missing"]
    if len(missing) <= MANY:
        return None
    splits = Counter(row.split for row in table.rows)
    usable = ", ".join(f"{name} {count}" for name, count in sorted(splits.items()))
    rest = f"the other {len(table.rows)} can be used ({usable})" if table.rows else "no other row can be used"
    where = ", ".join(dict.fromkeys(listing.where for listing in table.files.lists))
    takes = 'on_error="skip" takes the rest'
    return EchoAugmentError(
        f"{table.files.named}: {len(missing)} rows name videos that are not in {where} ({missing[0]}, "
        f"{missing[1]}, ...); {rest}",
        f"Copy the videos; {takes if table.rows else 'check data.root'}",
    )


def summary(problems: Sequence[Problem]) -> EchoAugmentError:
    """Return the first problem as an error that counts the others."""
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
    """Select the rows whose file opens and has a first frame (0.4 ms each).

    They get the frame rate and the length of their files; one warning says if the table's differ by more than 2 %.
    """
    kept, skipped, apart = [], [], []
    for row in rows:
        try:
            facts = probe_video(row.path)
        except EchoAugmentError as error:
            skipped.append(Skipped(row.name, str(error)))
        else:
            kept.append(as_filed(row, facts))
            if said := disagreement(row, facts.fps, facts.frames):
                apart.append(f"{row.path}: {said}")
    warn_of_disagreements(apart)
    return Selection(kept, skipped)
