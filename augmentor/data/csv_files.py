"""Read CSV files and the file names in them; every error names the file, the line and the value."""

import csv
import io
import os
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
        """Return the position of the first of ``names`` in the header, in any case and spacing, or None."""
        plain = ["".join(title.lower().replace("_", " ").split()) for title in self.header]
        for name in names:
            if name.lower() in plain:
                return plain.index(name.lower())
        return None


def read_csv(path: Path) -> CsvFile:
    """Read a comma-separated UTF-8 file, with or without a byte order mark.

    Raises:
        EchoAugmentError: the file is missing, empty, not UTF-8 or not CSV.
    """
    if not path.is_file():
        raise EchoAugmentError(f"{path}: there is no such file", "data.root must be the folder that holds it")
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
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        lines = [(reader.line_num, fields) for fields in reader if any(field.strip() for field in fields)]
    except csv.Error as error:
        raise EchoAugmentError(f"{path}: line {reader.line_num}: {error}", "Mend the line") from error
    if not lines:
        raise EchoAugmentError(f"{path}: is empty", "Copy it again from the data set")
    return CsvFile(path, tuple(title.strip() for title in lines[0][1]), lines[1:])


VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
NAME_REMEDY = "FileName must name a file inside Videos/, for instance 0X10A28877E97DF540.avi; drop or mend the row"


def video_name(text: str) -> str:
    """Return the name of a video without its suffix: ``" 0X1.avi "`` and ``"0X1"`` are both ``"0X1"``.

    Only known video suffixes are cut, so that dots inside a name (``1.2.840``) stay.
    """
    text = text.strip()
    stem, suffix = os.path.splitext(text)  # noqa: PTH122  names may hold "..", which Path would not split the same way
    return stem if suffix.lower() in VIDEO_SUFFIXES else text


def video_file_name(text: str) -> str:
    """Return the file name that a ``FileName`` entry stands for, with ``.avi`` added if it has no video suffix."""
    text = text.strip()
    return text if video_name(text) != text else f"{text}.avi"


def inside(folder: Path, text: str, *, follow_links: bool = True) -> Path:
    """Return the path of a ``FileName`` entry in ``folder``. The file need not exist.

    A symbolic link that lies in ``folder`` is its owner's doing (DataLad, git-annex, DVC, ``ln -s``) and is followed.

    Args:
        folder: folder of the videos; may be a link itself.
        text: entry of the table.
        follow_links: False refuses links inside ``folder`` that lead out of it.

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
    path = folder / video_file_name(name)
    if not follow_links:
        home = os.path.realpath(folder)
        if os.path.commonpath([home, os.path.realpath(path)]) != home:
            text = f"FileName {text!r} is a link that leaves the dataset's folder"
            raise EchoAugmentError(text, "Allow it with follow_links=True, or copy the file")
    return path


def nearby(folder: Path) -> dict[str, list[str]]:
    """Return the videos of a folder by name in lower case without suffix, to find ``A.AVI`` or ``a.mp4`` for ``A``."""
    found: dict[str, list[str]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.suffix.lower() in VIDEO_SUFFIXES:
            found.setdefault(video_name(entry.name).lower(), []).append(entry.name)
    return found
