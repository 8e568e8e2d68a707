"""Append-only files of JSON lines that a kill cannot spoil."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from .files import JsonValue


class JsonLines:
    """A file of JSON objects, one a line, written by one process.

    A last line that a kill left torn is cut off on opening, so that the next one starts on a line of its own.

    Args:
        path: path of the file; the first :meth:`add` makes it.

    Attributes:
        values: objects in the file, in order.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file: BinaryIO | None = None
        self.values: list[dict[str, JsonValue]] = []
        if self.path.exists():
            self.values, good = _parse(self.path.read_bytes())
            if good < self.path.stat().st_size:
                os.truncate(self.path, good)

    def add(self, value: Mapping[str, JsonValue]) -> None:
        """Append one object. A kill during the write loses this object only.

        Raises:
            ValueError: the object holds a NaN or an infinity, which are not JSON.
        """
        line = (json.dumps(value, allow_nan=False) + "\n").encode()
        if self._file is None:
            self._file = self.path.open("ab")
        self._file.write(line)
        self._file.flush()
        self.values.append(dict(value))

    def close(self) -> None:
        """Sync the file to disk and close it."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def read_json_lines(path: Path) -> list[dict[str, JsonValue]]:
    """Return the complete lines of a file that another process may be writing; the file is not changed."""
    return _parse(Path(path).read_bytes())[0]


def _parse(content: bytes) -> tuple[list[dict[str, JsonValue]], int]:
    """Return the objects up to the first torn or damaged line, and the bytes that they take."""
    found, good = [], 0
    for line in content.splitlines(keepends=True):
        try:
            value = json.loads(line)
        except ValueError:
            break
        if not line.endswith(b"\n") or not isinstance(value, dict):
            break
        found.append(value)
        good += len(line)
    return found, good
