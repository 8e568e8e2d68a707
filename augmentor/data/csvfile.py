"""CSV files as text: every complaint names the file, the line and the value."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError


@dataclass(frozen=True)
class CsvFile:
    """A CSV in memory.

    Attributes:
        path: the file.
        header: column names, stripped, in the order of the file.
        rows: ``(line number, fields)`` of every line that is not blank.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[tuple[int, list[str]]]

    def column(self, *names: str) -> int | None:
        """Position of the first of ``names`` that is there, whatever its case and inner spaces; None where none is."""
        plain = ["".join(title.lower().replace("_", " ").split()) for title in self.header]
        for name in names:
            if name.lower() in plain:
                return plain.index(name.lower())
        return None


def read_csv(path: Path) -> CsvFile:
    """Read a comma-separated UTF-8 file, with or without a byte order mark.

    Raises:
        EchoAugmentError: a file that is missing, empty, not UTF-8 or not CSV.
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
        raise EchoAugmentError(f"{path}: holds NUL characters, so it is no text", "Save the file as CSV in UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        lines = [(reader.line_num, fields) for fields in reader if any(field.strip() for field in fields)]
    except csv.Error as error:
        raise EchoAugmentError(f"{path}: line {reader.line_num}: {error}", "Mend the line") from error
    if not lines:
        raise EchoAugmentError(f"{path}: is empty", "Copy it again from the data set")
    return CsvFile(path, tuple(title.strip() for title in lines[0][1]), lines[1:])
