"""Read CSV files and the file names in them; every error names the file, the line and the value."""

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from echo_augment.cache.errors import EchoAugmentError


@dataclass(frozen=True)
class CsvFile:
    """A CSV in memory.

    Attributes:
        path: path of the file.
        header: column names, stripped, in the order of the file.
        rows: ``(line number, fields)`` of every line that is not blank.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[tuple[int, list[str]]]

    def column(self, *names: str) -> int | None:
        """Return the position of the first of ``names`` in the header, in any case and spacing, or None.

        Raises:
            EchoAugmentError: two columns of that name, in which lines differ.
        """
        plain = [plain_title(title) for title in self.header]
        for name in names:
            places = [place for place, title in enumerate(plain) if title == plain_title(name)]
            for other in places[1:]:
                for line, fields in self.rows:
                    pair = [fields[place].strip() for place in (places[0], other) if place < len(fields)]
                    if len(set(pair)) > 1:
                        raise EchoAugmentError(
                            f"{self.path}: has two columns {self.header[other]}; line {line} has {pair[0]!r} and "
                            f"{pair[1]!r} in them",
                            "Rename or drop one of them",
                        )
            if places:
                return places[0]
        return None


def plain_title(title: str) -> str:
    """Return a column's title in lower case, without blanks and underscores: ``" File_Name"`` is ``"filename"``."""
    return "".join(title.lower().replace("_", " ").split())


SEPARATORS = (",", ";", "\t")
HEAD = 100_000  # characters among which the header is looked for
MOST_BYTES = 500_000_000  # ten times EchoNet-Dynamic's tracings


def read_csv(path: Path) -> CsvFile:
    """Read a UTF-8 file of fields separated by commas, semicolons or tabs, with or without a byte order mark.

    Which of the three separates, the header tells: the one that gives the most columns. Empty fields past the header's
    end, which spreadsheets leave, are dropped.

    Raises:
        EchoAugmentError: the file is missing, empty, not UTF-8 or not CSV, or has more than 500 MB.
    """
    if not path.is_file():
        raise EchoAugmentError(f"{path}: there is no such file", "data.root must be the folder that holds it")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise EchoAugmentError(
            f"{path}: has {size / 1e6:.0f} MB, too much for a table of videos", "Is it the right file?"
        )
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EchoAugmentError(
            f"{path}: line {line} is not UTF-8 (byte 0x{data[error.start]:02x})", "Save the file as CSV in UTF-8"
        ) from error
    if "\0" in text:
        raise EchoAugmentError(f"{path}: holds NUL characters, so it is not text", "Save the file as CSV in UTF-8")
    first, separator = 0, None
    if said := re.match(r"sep=(.)\r?\n", text):  # a spreadsheet's own word for it
        first, separator = 1, said[1]
        text = text[said.end() :]
    lines = []
    try:
        if separator is None:
            separator = max(SEPARATORS, key=lambda one: len(next(fields_of(text[:HEAD], one), (0, []))[1]))
        lines = list(fields_of(text, separator))
    except csv.Error as error:
        raise EchoAugmentError(f"{path}: line {len(lines) + 1}: {error}", "Mend the line") from error
    if not lines:
        raise EchoAugmentError(f"{path}: is empty", "Copy it again from the data set")
    header = tuple(title.strip() for title in lines[0][1])
    rows = [(line + first, _cut(fields, len(header))) for line, fields in lines[1:]]
    return CsvFile(path, header, rows)


def fields_of(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of each line of a table that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    for fields in reader:
        if any(field.strip() for field in fields):
            yield reader.line_num, fields


def _cut(fields: list[str], count: int) -> list[str]:
    return fields if any(field.strip() for field in fields[count:]) else fields[:count]


def plain_number(text: str) -> str:
    """Return a number's text with a decimal point for a comma and no percent sign; other text only stripped."""
    text = text.strip()
    number = re.fullmatch(r"([+-]?\d+)(?:[.,](\d+))?\s*%?", text)
    return text if number is None else f"{number[1]}.{number[2]}" if number[2] else number[1]


def to_number(text: str) -> float:
    """Return a field as a number, with a decimal comma (``"55,5"``) or a percent sign if need be; NaN for other text.

    >>> to_number(" 55,5 %"), to_number("Couldn't calculate"), to_number("1_0")
    (55.5, nan, nan)
    """
    try:
        return math.nan if "_" in text else float(plain_number(text))  # Python takes 1_0 for 10
    except ValueError:
        return math.nan


VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
NAME_REMEDY = "FileName must name a file inside Videos/, for instance 0X10A28877E97DF540.avi; drop or mend the row"


def video_name(text: str) -> str:
    """Return the name of a video without its suffix: ``" 0X1.avi "`` and ``"0X1"`` are both ``"0X1"``.

    Only known video suffixes are cut, so that dots inside a name (``1.2.840``) stay.
    """
    text = text.strip()
    stem, suffix = os.path.splitext(text)  # noqa: PTH122  names may hold "..", which Path would not split the same way
    return stem if suffix.lower() in VIDEO_SUFFIXES else text


def video_file_name(text: str, suffix: str = ".avi") -> str:
    """Return the file name that a ``FileName`` entry stands for, with ``suffix`` added if it has no video suffix."""
    text = text.strip()
    return text if video_name(text) != text else f"{text}{suffix}"


def inside(folder: Path, text: str, *, follow_links: bool = True, suffix: str = ".avi") -> Path:
    """Return the path of a ``FileName`` entry in ``folder``. The file need not exist.

    A symbolic link that lies in ``folder`` is its owner's doing (DataLad, git-annex, DVC, ``ln -s``) and is followed.

    Args:
        folder: folder of the videos; may be a link itself.
        text: entry of the table.
        follow_links: False refuses links inside ``folder`` that lead out of it.
        suffix: of the file, if the entry has none.

    Raises:
        EchoAugmentError: the name is empty, absolute, has ``..`` in it, or is a link that may not be followed.
    """
    name = text.strip()
    parts = name.replace("\\", "/").split("/")
    windows = PureWindowsPath(name)
    if not name or "\0" in name:
        raise EchoAugmentError(f"FileName {text!r} is not a file name", NAME_REMEDY)
    if ".." in parts or PurePosixPath(name).is_absolute() or windows.is_absolute() or windows.drive:
        raise EchoAugmentError(f"FileName {text!r} leaves the dataset's folder", NAME_REMEDY)
    path = folder / video_file_name(name, suffix)
    if not follow_links:
        home = os.path.realpath(folder)
        if os.path.commonpath([home, os.path.realpath(path)]) != home:
            text = f"FileName {text!r} is a link that leaves the dataset's folder"
            raise EchoAugmentError(text, "Allow it with follow_links=True, or copy the file")
    return path


def nearby(folders: Iterable[Path]) -> dict[str, list[str]]:
    """Return the videos of some folders by name in lower case without suffix, to find ``A.AVI`` or ``a.mp4`` for ``A``.

    A name with zeros in front is found without them too, for spreadsheets take them away.
    """
    found: dict[str, list[str]] = {}
    for entry in sorted(entry for folder in folders for entry in folder.iterdir()):
        if entry.suffix.lower() in VIDEO_SUFFIXES:
            name = video_name(entry.name).lower()
            for key in dict.fromkeys((name, without_zeros(name))):
                found.setdefault(key, []).append(entry.name)
    return found


def without_zeros(name: str) -> str:
    """Return a name without the zeros in front that a spreadsheet takes away: ``"0017"`` is ``"17"``, ``"0X1"`` stays.

    Only digits are numbers to a spreadsheet.
    """
    return (name.lstrip("0") or "0") if name.isdecimal() else name
