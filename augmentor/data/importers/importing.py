"""An import from beginning to end: find, read in parallel, keep a journal, write the tables."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from echo_augment.cache.arguments import check_seed, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json
from echo_augment.cache.system.json_lines import JsonLines
from echo_augment.cache.system.limits import cannot_write
from echo_augment.cache.system.locks import hold
from echo_augment.cache.system.processes import usable_cores
from echo_augment.cache.system.signals import SafeStop

from ..csv_files import read_csv
from .identity import Hasher, default_key, read_key, write_links
from .label_table import LabelTable, read_labels
from .layout import (
    Agreement,
    Row,
    agreement,
    draw_splits,
    drop_twins,
    join_labels,
    splits_before,
    told_splits,
    write_tables,
)
from .pool import each
from .reading import VIDEOS, Worker, find_sources, place, stamp
from .records import ImportPlan, Outcome, Source

CLAIM, JOURNAL = "import.json", "import.jsonl"
FORMAT = 1
AGAIN = frozenset({"syntax", "unreadable"})  # the fault may be this machine's, not the file's: tried again
Progress = Callable[[Iterable[tuple[Source, Outcome | None]], int], Iterable[tuple[Source, Outcome | None]]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Imported:
    """What an import did.

    Attributes:
        rows: clips of the dataset, by name.
        left: sources that were left out.
        new: sources read by this run.
        before: sources that an earlier run had read.
        table: the label table, or an empty one.
        used: rows of it that a clip was joined to.
        key: the key file.
        key_is_new: this run made it.
        links: the file that tells which source became which clip.
    """

    rows: list[Row]
    left: list[Outcome]
    new: int
    before: int
    table: LabelTable
    used: int
    key: Path
    key_is_new: bool
    links: Path


def import_clips(
    roots: Sequence[Path],
    out: Path,
    plan: ImportPlan,
    *,
    labels: Path | None = None,
    columns: Mapping[str, str | None] | None = None,
    shares: Sequence[float] = (0.75, 0.125, 0.125),
    qualities: Sequence[str] = (),
    seed: int = 0,
    key: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Import files into a dataset in EchoNet-Dynamic's layout; after an interruption, go on.

    Further files may be imported into the same folder later; patients keep their splits.

    Args:
        roots: folders or files.
        out: folder of the dataset.
        plan: how files are read.
        labels: CSV table of EF, volumes and splits.
        columns: the user's names for its columns, as in `read_labels`.
        shares: shares of TRAIN, VAL and TEST among patients.
        qualities: image qualities of CAMUS to import; empty for all.
        seed: seed of the splits.
        key: file of the secret key, made if missing; by default in ``<out>-private``.
        workers: processes; None for all cores.
        progress: wraps the results and their number, to show how far it is.

    Raises:
        EchoAugmentError: there is nothing to import, the folder holds another dataset or one of another key, the table
            cannot be used, a patient is in two splits, or the disk is full.
        KeyboardInterrupt: on Ctrl-C or SIGTERM; what is done is kept.
    """
    check_seed(seed)
    workers = usable_cores() if workers is None else check_whole("workers", workers, 1)
    draw_splits({}, {}, shares, seed)  # mistakes are said before any work
    key_path = default_key(out) if key is None else key
    sources = list(find_sources(list(roots), plan))
    if not sources:
        raise EchoAugmentError(
            f"data={', '.join(map(str, roots))}: holds nothing that from={plan.source} reads", "Check data= and from="
        )
    hasher, key_is_new = read_key(key_path, out)
    table = LabelTable() if labels is None else read_labels(labels, columns or {}, hasher)
    try:
        with SafeStop(), hold(out):
            (out / VIDEOS).mkdir(exist_ok=True)
            claim(out, hasher)
            for stale in (*out.glob(".*.tmp"), *(out / VIDEOS).glob(".*.tmp")):
                stale.unlink(missing_ok=True)
            fresh, outcomes = read_all(sources, out, Worker(out, plan, hasher, table.rates), workers, progress)
            checked = [wrong_quality(one, qualities) for one in outcomes]
            settled = drop_twins(checked)
            rows, used = settle(out, settled, table, shares, seed)
            write_tables(out, rows)
            clear_videos(out, outcomes, rows)
            links = key_path.parent / f"{out.absolute().name}.links.csv"
            keep_links(links, sources, plan, hasher, settled)
    except OSError as error:
        raise cannot_write(str(out), error, kept="it goes on where it stopped") from error
    left = [one for one in settled if one.status == "out"]
    facts = {"new": fresh, "before": len(sources) - fresh, "used": used}
    return Imported(rows=rows, left=left, table=table, key=key_path, key_is_new=key_is_new, links=links, **facts)


def claim(out: Path, hasher: Hasher) -> None:
    """Mark ``out`` as the place of an import with this key.

    Raises:
        EchoAugmentError: it holds another dataset, or one of another key.
    """
    path, mine = out / CLAIM, {"format": FORMAT, "key": hasher.fingerprint}
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != mine:
            raise EchoAugmentError(
                f"{out}: holds an import with another key, whose names would not fit", "Give its key=FILE"
            )
    elif (out / "FileList.csv").exists():
        raise EchoAugmentError(f"{out}: holds another data set (FileList.csv)", "Choose another folder")
    else:
        write_json(path, mine)


def read_all(
    sources: Sequence[Source], out: Path, worker: Worker, workers: int, progress: Progress | None
) -> tuple[int, list[Outcome]]:
    """Read what is not in the journal yet.

    Returns:
        How many were read now, and the outcomes of everything ever imported into ``out``.
    """
    journal = JsonLines(out / JOURNAL)
    try:
        done = latest(Outcome.from_json(value) for value in journal.values)
        marks = {stamp(source, worker.plan, worker.hasher): source for source in sources}
        todo = [source for mark, source in marks.items() if not is_done(done.get(mark[:PLACE]), mark, out)]
        results: Iterable[tuple[Source, Outcome | None]] = each(worker, todo, workers)
        for source, outcome in results if progress is None else progress(results, len(todo)):
            if outcome is None:
                mark = stamp(source, worker.plan, worker.hasher)
                outcome = Outcome(source=mark, status="out", kind="crash", reason="the decoder crashed on it")
            journal.add(outcome.to_json())
            done[outcome.source[:PLACE]] = outcome
    finally:
        journal.close()
    return len(todo), list(done.values())


PLACE = 16  # digits of a source's mark that tell its place; the rest tells size, time and plan


def latest(outcomes: Iterable[Outcome]) -> dict[str, Outcome]:
    """Return the last outcome of each place."""
    return {one.source[:PLACE]: one for one in outcomes}


def is_done(outcome: Outcome | None, mark: str, out: Path) -> bool:
    """Return whether a source need not be read again: same place, size, time and plan, and its clip is there."""
    if outcome is None or outcome.source != mark or outcome.kind in AGAIN:
        return False
    return outcome.status == "out" or (out / VIDEOS / f"{outcome.name}.avi").exists()


def wrong_quality(outcome: Outcome, qualities: Sequence[str]) -> Outcome:
    """Leave a clip out whose image quality is not wanted."""
    if outcome.status == "out" or not qualities or outcome.quality in {one.title() for one in qualities}:
        return outcome
    return replace(outcome, status="out", kind="quality", reason=f"image quality is {outcome.quality or 'not stated'}")


def settle(
    out: Path, outcomes: Sequence[Outcome], table: LabelTable, shares: Sequence[float], seed: int
) -> tuple[list[Row], int]:
    """Return the clips that came in with labels and splits, and how many rows of the table were used."""
    clips, labels, used = join_labels([one for one in outcomes if one.status == "in"], table)
    splits = draw_splits(told_splits(clips, labels), splits_before(out), shares, seed)
    rows = [Row(clip=clip, labels=label, split=splits[clip.patient]) for clip, label in zip(clips, labels, strict=True)]
    return rows, len(used)


def clear_videos(out: Path, outcomes: Sequence[Outcome], rows: Sequence[Row]) -> None:
    """Remove clips of this import that are left out now: copies, and those that other settings refuse."""
    kept = {row.clip.name for row in rows}
    for name in {one.name for one in outcomes if one.name} - kept:
        (out / VIDEOS / f"{name}.avi").unlink(missing_ok=True)


def keep_links(
    path: Path, sources: Sequence[Source], plan: ImportPlan, hasher: Hasher, outcomes: Sequence[Outcome]
) -> None:
    """Write which file became which clip beside the key, with the lines of earlier runs."""
    by_place = {one.source[:PLACE]: one for one in outcomes}
    known: dict[str, tuple[str, str, str]] = {}
    if path.exists():
        known = {fields[0]: (fields[1], fields[2], fields[3]) for _, fields in read_csv(path).rows if len(fields) == 4}
    for source in sources:
        one = by_place[place(source, hasher)]
        name = f"{source.path.absolute()}:{source.view}" if source.view else str(source.path.absolute())
        known[name] = (one.name, one.status, one.reason)
    write_links(path, [(name, *rest) for name, rest in sorted(known.items())])


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What ``report.json`` keeps of an import: no name, no path, no date.

    Attributes:
        clips: clips that came in.
        patients: their patients; a clip without a known patient counts as its own.
        splits: split -> clips.
        left_out: kind of reason -> sources left out.
        reasons: kind of reason -> one of the reasons.
        left: ``source, kind, reason`` of every source left out.
        notes: clip -> remarks for the user.
        with_ef: clips that have an EF.
        label_rows: rows of the label table.
        label_rows_used: rows that a clip was joined to.
        label_problems: problems of the table, each with its line.
        new: sources read by this run.
        before: sources that an earlier run had read.
        agreement: how EF by discs and stated EF agree, or None.
    """

    clips: int
    patients: int
    splits: dict[str, int]
    left_out: dict[str, int]
    reasons: dict[str, str]
    left: list[tuple[str, str, str]]
    notes: dict[str, list[str]]
    with_ef: int
    label_rows: int
    label_rows_used: int
    label_problems: list[str]
    new: int
    before: int
    agreement: Agreement | None


def report_of(done: Imported) -> ImportReport:
    """Return the report of an import."""
    rows, left = done.rows, done.left
    return ImportReport(
        clips=len(rows),
        patients=len({row.clip.patient for row in rows}),
        splits=dict(sorted(Counter(row.split for row in rows).items())),
        left_out=dict(Counter(one.kind for one in left).most_common()),
        reasons={one.kind: one.reason for one in reversed(left)},
        left=[(one.source, one.kind, one.reason) for one in left],
        notes={row.clip.name: row.clip.notes for row in rows if row.clip.notes},
        with_ef=sum(math.isfinite(row.labels.ef) for row in rows),
        label_rows=len(done.table.rows),
        label_rows_used=done.used,
        label_problems=[f"line {one.line}: {one.text}" for one in done.table.problems],
        new=done.new,
        before=done.before,
        agreement=agreement([row.clip for row in rows]),
    )
