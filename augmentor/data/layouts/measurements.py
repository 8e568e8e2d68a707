"""EchoNet-LVH's table, a line a measurement, as a table with a line a video."""

import math
from collections import defaultdict

from echo_augment.cache.errors import EchoAugmentError

from ..csv_files import CsvFile, to_number, video_name

NAME, KIND, VALUE = "HashedFileName", "Calc", "CalcValue"
OF_MEASUREMENT = ("Frame", "X1", "Y1", "X2", "Y2", "D")
TITLES = {"Frames": "NumberOfFrames", "Height": "FrameHeight", "Width": "FrameWidth"}


def one_line_a_video(file: CsvFile) -> CsvFile:
    """Return a table with a line a video and, for each kind of measurement, a column with its value.

    ``LVIDd`` holds the value of the lines whose ``Calc`` is ``LVIDd``, as the file gives it (cm in EchoNet-LVH), and
    ``LVIDdFrame``, ``LVIDdX1``, ... where it was measured, in pixels of the stated frame size. If a video was measured
    twice, the value is the mean, and frame and points are the first line's. What else a line holds (rate, size, split)
    is the video's.

    >>> lines = [(2, ["A", "LVIDd", "4.5", "7", "TRAIN"]), (3, ["A", "IVSd", "1.0", "7", "TRAIN"])]
    >>> from pathlib import Path
    >>> table = CsvFile(Path("MeasurementsList.csv"), ("HashedFileName", "Calc", "CalcValue", "Frame", "split"), lines)
    >>> one_line_a_video(table).header
    ('FileName', 'split', 'IVSd', 'IVSdFrame', 'LVIDd', 'LVIDdFrame')
    >>> one_line_a_video(table).rows
    [(2, ['A', 'TRAIN', '1.0', '7', '4.5', '7'])]

    Raises:
        EchoAugmentError: a column is not there, or two lines of a video differ in what is the video's.
    """
    place = {name: file.column(name) for name in (NAME, KIND, VALUE, *OF_MEASUREMENT)}
    if lost := [name for name in (NAME, KIND, VALUE) if place[name] is None]:
        raise EchoAugmentError(
            f"{file.path}: has no column {', '.join(lost)}; its columns are {', '.join(file.header)}",
            "Name the columns as EchoNet-LVH does",
        )
    at = {name: column for name, column in place.items() if column is not None}
    name_at, kind_at, value_at = at[NAME], at[KIND], at[VALUE]
    measured = [name for name in OF_MEASUREMENT if name in at]
    own = [column for column, title in enumerate(file.header) if title and column not in at.values()]
    kinds = sorted({fields[kind_at].strip() for _, fields in file.rows if len(fields) == len(file.header)} - {""})
    first: dict[str, tuple[int, list[str]]] = {}
    values: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    short = []
    for line, fields in file.rows:
        if len(fields) != len(file.header):
            short.append((line, fields))  # the reader names the line: it cannot have the new header's length
            continue
        name = video_name(fields[name_at])
        before, one = first.setdefault(name, (line, fields))
        if differs := [column for column in own if fields[column].strip() != one[column].strip()]:
            title, pair = file.header[differs[0]], (one[differs[0]], fields[differs[0]])
            text = f"{file.path}: lines {before} and {line} are of {name}, but {title} is {pair[0]!r} and {pair[1]!r}"
            raise EchoAugmentError(text, "Mend one of the lines")
        values[name, fields[kind_at].strip()].append(fields)
    header = ["FileName", *(TITLES.get(file.header[column], file.header[column]) for column in own)]
    header += [title for kind in kinds for title in (kind, *(f"{kind}{name}" for name in measured))]
    rows = []
    for name, (line, fields) in first.items():
        row = [fields[name_at].strip(), *(fields[column] for column in own)]
        for kind in kinds:
            lines = values.get((name, kind), [])
            row.append(mean([one[value_at] for one in lines]))
            row += [lines[0][at[title]].strip() if lines else "" for title in measured]
        rows.append((line, row))
    return CsvFile(file.path, tuple(header), sorted([*rows, *((line, fields[:1]) for line, fields in short)]))


def mean(texts: list[str]) -> str:
    """Return one value's own text, or the mean of several numbers; empty if there is none."""
    if len(texts) < 2:
        return texts[0].strip() if texts else ""
    numbers = [number for text in texts if math.isfinite(number := to_number(text))]
    return f"{sum(numbers) / len(numbers):.10g}" if numbers else texts[0].strip()
