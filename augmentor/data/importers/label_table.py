"""A table of labels joined to clips by name, study or patient, through keyed hashes: no name is kept with a clip."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from ..csv_files import CsvFile, read_csv, to_number, video_name
from ..splits import HELD_OUT, TRAIN, parse_split
from .identity import Hasher
from .records import Labels, ReadClip

COLUMNS = {
    "name": ("filename", "file name", "file", "name", "video", "clip", "sopinstanceuid"),
    "study": ("study", "studyinstanceuid", "accession", "accessionnumber", "accession number"),
    "patient": ("patient", "patientid", "patient id", "mrn", "pid"),
    "ef": ("ef", "lvef", "ejectionfraction", "ejection fraction"),
    "edv": ("edv", "lvedv"),
    "esv": ("esv", "lvesv"),
    "split": ("split", "fold", "set"),
    "fps": ("fps", "framerate", "frame rate"),
}
JOINED_BY = ("name", "study", "patient")
SPLITS = (TRAIN, *HELD_OUT)
RANGES = {"ef": 100.0, "edv": math.inf, "esv": math.inf}


@dataclass(frozen=True, slots=True)
class TableProblem:
    """A row or value of the label table that cannot be used.

    Attributes:
        line: line of the file.
        text: what is wrong, without the value: from a wrong column it may be a name.
        value: value in the file; shown on the screen, never in the report.
    """

    line: int
    text: str
    value: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" + (f", got {self.value[:40]!r}" if self.value else "")


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """Labels by keyed hash.

    Attributes:
        rows: labels of each usable row.
        patients: keyed hash of each row's patient; empty if it names none.
        by_key: keyed hash -> index into ``rows``.
        rates: name of a video -> frames per second, if the table states them.
        problems: rows and values that cannot be used, each with its line.
    """

    rows: list[Labels] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)
    by_key: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    problems: list[TableProblem] = field(default_factory=list)

    def find(self, keys: Sequence[str]) -> int | None:
        """Return the index of the row that the first known of ``keys`` belongs to, or None."""
        return next((self.by_key[key] for key in keys if key in self.by_key), None)


def read_labels(path: Path, columns: Mapping[str, str | None], hasher: Hasher) -> LabelTable:
    """Read a table of labels.

    Args:
        path: CSV file.
        columns: the user's names for the columns ``name``, ``study``, ``patient``, ``ef``, ``edv``, ``esv``, ``split``
            and ``fps``; None to find a column by its usual names.
        hasher: hashes names with the import's key.

    Raises:
        EchoAugmentError: no such file or column, no column to join by, or EF as a fraction of 1.
    """
    file = read_csv(path)
    place = {kind: find_column(file, kind, columns.get(kind)) for kind in COLUMNS}
    if all(place[kind] is None for kind in JOINED_BY):
        raise EchoAugmentError(
            f"{path}: has no column to join by; its columns are {', '.join(file.header)}",
            "Name one: columns.name=..., columns.study=... or columns.patient=...",
        )
    table, clashes = LabelTable(), set[str]()
    for line, fields in file.rows:
        known = ((kind, column) for kind, column in place.items() if column is not None and column < len(fields))
        text = {kind: fields[column].strip() for kind, column in known}
        labels = row_labels(text, line, table.problems)
        if not any(text.get(kind) for kind in JOINED_BY):
            table.problems.append(TableProblem(line, "names no clip, study or patient"))
            continue
        table.rows.append(labels)
        table.patients.append(hasher.name("patient", text["patient"]) if text.get("patient") else "")
        for key in row_keys(text, hasher):
            other = table.by_key.setdefault(key, len(table.rows) - 1)
            if not same(table.rows[other], labels):
                clashes.add(key)
                table.problems.append(TableProblem(line, "contradicts another row of the same name; neither is used"))
        if text.get("fps") and text.get("name") and math.isfinite(rate := to_number(text["fps"])):
            table.rates[text["name"]] = table.rates[video_name(text["name"])] = rate
    for key in clashes:
        del table.by_key[key]
    refuse_fractions(path, table.rows)
    return table


def same(first: Labels, second: Labels) -> bool:
    """Return whether two rows say the same; NaN equals NaN."""
    return repr(first) == repr(second)


def find_column(file: CsvFile, kind: str, wanted: str | None) -> int | None:
    """Return the position of a column by the user's name for it, or by the usual ones; None if there is none.

    Raises:
        EchoAugmentError: the user's name is no column.
    """
    if wanted is None:
        return file.column(*COLUMNS[kind])
    found = next((i for i, title in enumerate(file.header) if title.casefold() == wanted.strip().casefold()), None)
    if found is None:
        raise EchoAugmentError(
            f"{file.path}: has no column {wanted!r} (columns.{kind}); its columns are {', '.join(file.header)}"
        )
    return found


def row_labels(text: Mapping[str, str], line: int, problems: list[TableProblem]) -> Labels:
    """Return the labels of a row; a value outside its range becomes a problem and stays unknown."""
    values = {}
    for kind, high in RANGES.items():
        value = to_number(text.get(kind, ""))
        if text.get(kind) and not (math.isfinite(value) and 0 <= value <= high):
            problems.append(TableProblem(line, f"{kind} is no number of at most {high:g}", text[kind]))
            value = math.nan
        values[kind] = value
    split = parse_split(text["split"])[0] if text.get("split") else ""
    if split not in ("", *SPLITS):
        problems.append(TableProblem(line, f"split is none of {', '.join(SPLITS)}", text["split"]))
        split = ""
    return Labels(ef=values["ef"], edv=values["edv"], esv=values["esv"], split=split)


def refuse_fractions(path: Path, rows: Sequence[Labels]) -> None:
    """Raise if a table gives EF as a fraction of 1.

    Raises:
        EchoAugmentError: the largest EF is at most 1.
    """
    known = [row.ef for row in rows if math.isfinite(row.ef)]
    if known and max(known) <= 1:
        raise EchoAugmentError(f"{path}: the largest EF is {max(known):g}", "EF is in percent: multiply it by 100")


def row_keys(text: Mapping[str, str], hasher: Hasher) -> list[str]:
    """Return the keyed hashes that a row is found by."""
    keys = [key_of(hasher, kind, text[kind]) for kind in JOINED_BY if text.get(kind)]
    if text.get("patient"):
        keys.append(key_of(hasher, "loose", text["patient"]))
    return keys


def clip_keys(clip: ReadClip, hasher: Hasher) -> list[str]:
    """Return the keyed hashes by which a clip finds its row, the most exact first; last, its patient without leading
    zeros, which spreadsheets remove.
    """
    keys = [key_of(hasher, "name", name) for name in clip.names if name]
    keys += [key_of(hasher, "study", study) for study in clip.study]
    if clip.patient:
        keys += [key_of(hasher, "patient", clip.patient), key_of(hasher, "loose", clip.patient)]
    return list(dict.fromkeys(keys))


def key_of(hasher: Hasher, kind: str, text: str) -> str:
    """Return the keyed hash of a name, regardless of case and suffix."""
    plain = text.strip().casefold()
    if kind == "name":
        plain = video_name(plain).removesuffix(".dcm")
    if kind == "loose":
        plain = plain.lstrip("0")
    return hasher.digest(f"label:{kind}", plain)


def joined(own: Labels, row: Labels | None) -> Labels:
    """Return a source's own labels, replaced by those that the table has."""
    if row is None:
        return own
    known = {kind: value for kind in RANGES if math.isfinite(value := getattr(row, kind))}
    return replace(own, **known, split=row.split or own.split)
