"""Append-only JSON lines that a kill cannot spoil."""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO


class JsonLines:
    """A file of JSON objects, one a line, written by one process.

    A torn last line, left by a kill, is cut off on opening, so that the next one begins on its own.

    Args:
        path: of the file; it is made by the first :meth:`add`.

    Attributes:
        values: what the file holds.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file: BinaryIO | None = None
        self.values: list[dict[str, Any]] = []
        if self.path.exists():
            self.values, good = _parse(self.path.read_bytes())
            if good < self.path.stat().st_size:
                os.truncate(self.path, good)

    def add(self, value: dict[str, Any]) -> None:
        """Append one object. A kill during the write loses this one alone.

        Raises:
            ValueError: it is not JSON, NaN included.
        """
        line = (json.dumps(value, allow_nan=False) + "\n").encode()
        if self._file is None:
            self._file = self.path.open("ab")
        self._file.write(line)
        self._file.flush()
        self.values.append(value)

    def close(self) -> None:
        """Put it on disk for certain, and close."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that another process may be writing; it is not touched."""
    return _parse(Path(path).read_bytes())[0]


def _parse(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The objects up to the first torn or damaged line, and the bytes that they take."""
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
