"""The rows of one table as videos: names, files, splits and numbers, and what is wrong with each line."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from ..csv_files import (
    CsvFile,
    inside,
    nearby,
    plain_number,
    plain_title,
    read_csv,
    to_number,
    video_name,
    without_zeros,
)
from ..records import Problem, VideoInfo
from ..splits import parse_split
from .finding import ListFile
from .measurements import one_line_a_video

KNOWN_COLUMNS = {
    "FileName": ("filename", "file", "name"),
    "EF": ("ef", "ejectionfraction"),
    "ESV": ("esv",),
    "EDV": ("edv",),
    "FrameHeight": ("frameheight",),
    "FrameWidth": ("framewidth",),
    "FPS": ("fps", "framerate"),
    "NumberOfFrames": ("numberofframes", "nframes", "frames"),
    "Split": ("split", "fold"),
}


def read_list(listing: ListFile) -> tuple[CsvFile, dict[str, int]]:
    """Read a table; return it with known columns in EchoNet-Dynamic's spelling, and the position of each of them.

    Raises:
        EchoAugmentError: the file is missing or no CSV, lists nothing, or lacks a column.
    """
    file = read_csv(listing.path)
    if listing.measurements:
        file = one_line_a_video(file)
    place = {}
    for title, name in listing.columns:
        column = file.column(name)
        if column is None:
            raise EchoAugmentError(
                f"{file.path}: has no column {name!r} for {title}; its columns are {', '.join(file.header)}",
                "Name one of these",
            )
        place[title] = column
    for title, names in KNOWN_COLUMNS.items():
        column = None if title in place else file.column(*names)
        if column is not None and column not in place.values():
            place[title] = column
    if missing := [title for title in listing.required if title not in place]:
        raise EchoAugmentError(
            f"{file.path}: has no column {', '.join(missing)}; its columns are {', '.join(file.header)}",
            "Name the columns as EchoNet-Dynamic does, separated by commas",
        )
    if not file.rows:
        raise EchoAugmentError(f"{file.path}: lists no videos", "Copy it again from the data set")
    taken = {plain_title(title) for title in place}
    header = [f"{title} (as listed)" if plain_title(title) in taken else title for title in file.header]
    for title, column in place.items():
        header[column] = title
    return CsvFile(file.path, tuple(header), file.rows), place


PATIENT = ("patient", "patientid", "subject", "subjectid", "mrn", "pid")
"""How a column is called that says whom a video shows, where no map of columns names it."""

UNKNOWN = frozenset({"nan", "na", "n/a", "none", "null", "unknown", "-", "?"})
LABELS = {"EF": "percent", "ESV": "mL", "EDV": "mL"}


def patient_reader(file: CsvFile, place: Mapping[str, int]) -> Callable[[Sequence[str]], str]:
    """Return a function that reads the patient out of a line's fields: empty if the table does not say."""
    column = place.get("Patient", file.column(*PATIENT))

    def read(fields: Sequence[str]) -> str:
        text = fields[column].strip() if column is not None and column < len(fields) else ""
        return "" if text.lower() in UNKNOWN else text

    return read


def read_rows(
    file: CsvFile, listing: ListFile, place: dict[str, int], *, follow_links: bool = True
) -> tuple[list[VideoInfo], list[Problem]]:
    """Return the usable rows and everything wrong with any row."""
    rows: dict[str, VideoInfo] = {}
    problems: list[Problem] = []
    there = {folder: {entry.name for entry in folder.iterdir()} for folder in listing.folders}
    nears: dict[tuple[Path, ...], dict[str, list[str]]] = {}
    clashes: set[str] = set()
    lines: dict[str, list[int]] = {}
    splits: dict[str, list[tuple[str, int | None]]] = {}
    patient_of = patient_reader(file, place)
    for line, fields in file.rows:
        where = f"{file.path}: line {line}"
        if len(fields) != len(file.header):
            remedy = "Mend the line; a comma inside a field, a decimal comma too, needs quotes around the field"
            text = f"{where} has {len(fields)} fields, the header {len(file.header)}"
            problems.append(Problem("row", video_name(fields[0]), text, remedy))
            continue
        name = video_name(fields[place["FileName"]])
        split, fold = "", None
        try:
            kind = "split"
            if "Split" in place:
                split, fold = parse_split(fields[place["Split"]])
            kind = "name"
            paths = [
                inside(folder, fields[place["FileName"]], follow_links=follow_links, suffix=listing.suffix)
                for folder in listing.folders
            ]
        except EchoAugmentError as error:
            problems.append(Problem(kind, name, f"{where}: {error.message}", error.remedy, split, fold))
            continue
        lines.setdefault(name, []).append(line)
        if name in rows:
            if [one.strip() for one in rows[name].values] != [one.strip() for one in fields]:
                clashes.add(name)
            splits.setdefault(name, [(rows[name].split, rows[name].fold)]).append((split, fold))
            continue
        found = [
            path
            for path, folder in zip(paths, listing.folders, strict=True)
            if (path.name in there[folder] if path.parent == folder else path.is_file())
        ]
        if len(found) > 1:
            text = f"{where}: {found[0]} and {found[1]} are both there"
            problems.append(
                Problem("name", name, text, "Keep one of them, or give the others names of their own", split, fold)
            )
            continue
        if not found:
            text = f"{where}: {paths[0]} is not there"
            remedy = "Copy the video from the data set or drop the row"
            beside = tuple(path.parent for path in paths if path.parent.is_dir())
            if beside not in nears:
                nears[beside] = nearby(beside)
            near, base = nears[beside], video_name(paths[0].name).lower()
            if others := near.get(base) or near.get(without_zeros(base)):
                text += f", {others[0]} is"
                remedy = f"Write {others[0]} into FileName, or rename the file"
            problems.append(Problem("missing", name, text, remedy, split, fold))
            continue
        row = VideoInfo(name, found[0], split=split, fold=fold, values=tuple(fields), patient=patient_of(fields))
        row, bad = _read_labels(row, where, {title: fields[column].strip() for title, column in place.items()})
        rows[name] = row
        problems += bad
    for name, all_splits in splits.items():
        *first, last = lines[name]
        what = " with different values, so none of them is used" if name in clashes else ""
        text = f"{file.path}: {name} is in lines {', '.join(map(str, first))} and {last}{what}"
        for split, fold in dict.fromkeys(all_splits):
            problems.append(Problem("duplicate", name, text, "Keep one row a video", split, fold))
    return [row for name, row in rows.items() if name not in clashes], problems


def _read_labels(row: VideoInfo, where: str, text: dict[str, str]) -> tuple[VideoInfo, list[Problem]]:
    """Return ``row`` with the numbers of its line, and the problems of those that are none."""
    problems = []
    labels = dict.fromkeys(LABELS, math.nan)
    for title, unit in LABELS.items():
        if title not in text:
            continue
        value = to_number(text[title])
        high = 100.0 if title == "EF" else math.inf
        if not (math.isfinite(value) and 0 <= value <= high):
            limits = "in [0, 100]" if title == "EF" else "0 or more"
            message = f"{where}: {title} of {row.name} must be {limits} {unit}, got {text[title] or 'nothing'}"
            problems.append(Problem(title, row.name, message, "Mend or drop the row", row.split, row.fold))
            value = math.nan
        labels[title] = value
    fps, count = to_number(text.get("FPS", "")), to_number(text.get("NumberOfFrames", ""))
    for title, value, good in (("FPS", fps, fps > 0), ("NumberOfFrames", count, count >= 0 and count.is_integer())):
        if text.get(title) and not good and not (math.isnan(value) and text[title].lower() in UNKNOWN):
            message = f"{where}: {title} of {row.name} is {text[title]!r}"
            problems.append(Problem("facts", row.name, message, "The file is believed", row.split, row.fold))
    done = replace(
        row,
        ef=labels["EF"],
        esv=labels["ESV"],
        edv=labels["EDV"],
        fps=fps if math.isfinite(fps) and fps > 0 else math.nan,
        n_frames=int(count) if count >= 0 and count.is_integer() else -1,
    )
    return done, problems


def typed_columns(rows: Sequence[Sequence[str]]) -> list[list[int | float | str]]:
    """Return fields as numbers if a whole column holds numbers (empty ones NaN), as pandas does; else as text."""
    columns = [_typed(column) for column in zip(*rows, strict=True)]
    return [list(fields) for fields in zip(*columns, strict=True)]


def _typed(column: Sequence[str]) -> Sequence[int | float | str]:
    kinds: tuple[type[int], type[float]] = (int, float)
    for kind in kinds:
        try:
            return [kind(plain_number(text) or "nan") for text in column]
        except ValueError:
            continue
    return [text.strip() for text in column]
