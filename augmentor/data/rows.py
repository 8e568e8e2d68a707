"""The rows of FileList.csv: the usable ones, and what is wrong with any."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from .csvfile import CsvFile
from .names import inside, video_name
from .records import Problem, VideoInfo
from .splits import parse_split

LABELS = {"EF": "percent", "ESV": "mL", "EDV": "mL"}


def read_rows(file: CsvFile, videos: Path, place: dict[str, int]) -> tuple[list[VideoInfo], list[Problem]]:
    """The usable rows and everything wrong with any."""
    rows: dict[str, VideoInfo] = {}
    problems: list[Problem] = []
    there = {entry.name for entry in videos.iterdir()}
    clashes: set[str] = set()
    for line, fields in file.rows:
        where = f"{file.path}: line {line}"
        if len(fields) != len(file.header):
            remedy = "Mend the line; a comma inside a field needs quotes around the field"
            text = f"{where} has {len(fields)} fields, the header {len(file.header)}"
            problems.append(Problem("row", video_name(fields[0]), text, remedy))
            continue
        name = video_name(fields[place["FileName"]])
        split, fold = "", None
        try:
            kind = "split"
            split, fold = parse_split(fields[place["Split"]])
            kind = "name"
            path = inside(videos, fields[place["FileName"]])
        except EchoAugmentError as error:
            problems.append(Problem(kind, name, f"{where}: {error.message}", error.remedy, split, fold))
            continue
        if name in rows:
            same = rows[name].values == tuple(fields)
            if not same:
                clashes.add(name)
            what = "appears twice" if same else "appears twice with different values, so neither row is used"
            remedy = "Keep one row a video"
            splits = (
                [(split, fold)] if same else list(dict.fromkeys([(rows[name].split, rows[name].fold), (split, fold)]))
            )
            for one_split, one_fold in splits:
                problems.append(Problem("duplicate", name, f"{where}: {name} {what}", remedy, one_split, one_fold))
            continue
        if not (path.name in there if path.parent == videos else path.is_file()):
            text = f"{where}: {path} is not there"
            remedy = "Copy the video from the data set or drop the row"
            problems.append(Problem("missing", name, text, remedy, split, fold))
            continue
        row = VideoInfo(name, path, split=split, fold=fold, values=tuple(fields))
        row, found = _read_labels(row, where, {title: fields[column].strip() for title, column in place.items()})
        rows[name] = row
        problems += found
    return [row for name, row in rows.items() if name not in clashes], problems


def _read_labels(row: VideoInfo, where: str, text: dict[str, str]) -> tuple[VideoInfo, list[Problem]]:
    """``row`` with the numbers of its line, and complaints about those that are none."""
    problems = []
    labels = dict.fromkeys(LABELS, math.nan)
    for title, unit in LABELS.items():
        if title not in text:
            continue
        value = _number(text[title])
        high = 100.0 if title == "EF" else math.inf
        if not (math.isfinite(value) and 0 <= value <= high):
            limits = "in [0, 100]" if title == "EF" else "0 or more"
            message = f"{where}: {title} of {row.name} must be {limits} {unit}, got {text[title] or 'nothing'}"
            problems.append(Problem(title, row.name, message, "Mend or drop the row", row.split, row.fold))
            value = math.nan
        labels[title] = value
    fps, count = _number(text.get("FPS", "")), _number(text.get("NumberOfFrames", ""))
    done = replace(
        row,
        ef=labels["EF"],
        esv=labels["ESV"],
        edv=labels["EDV"],
        fps=fps if math.isfinite(fps) and fps > 0 else math.nan,
        n_frames=int(count) if math.isfinite(count) and count >= 0 else -1,
    )
    return done, problems


def typed_columns(rows: Sequence[Sequence[str]]) -> list[list[int | float | str]]:
    """Fields as numbers where a whole column is of numbers (empty ones NaN), as pandas reads them; else as text."""
    columns = [_typed(column) for column in zip(*rows, strict=True)]
    return [list(fields) for fields in zip(*columns, strict=True)]


def _typed(column: Sequence[str]) -> Sequence[int | float | str]:
    kinds: tuple[type[int], type[float]] = (int, float)
    for kind in kinds:
        try:
            return [kind(text.strip() or "nan") for text in column]
        except ValueError:
            continue
    return [text.strip() for text in column]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
