"""What a fill refused, kept so that a restart does not generate it again."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from .errors import EchoAugmentError


class Rejections:
    """Append-only JSON lines of clip id and reason, one file for each filling process, beside the shards.

    Args:
        folder: of the cache.
        rank: of this process.
        world: processes that fill together.

    Raises:
        EchoAugmentError: the cache was filled by another number of processes and has rejections: the reserve is
            divided by it.
    """

    def __init__(self, folder: Path, *, rank: int = 0, world: int = 1) -> None:
        self._path = Path(folder) / _name(rank, world)
        self._file: BinaryIO | None = None
        files = sorted(Path(folder).glob("rejected-*-of-*.jsonl"))
        others = [path for path in files if not path.name.endswith(f"-of-{world}.jsonl")]
        if others:
            raise EchoAugmentError(
                f"cache {folder} was filled by another number of processes than {world}: {others[0].name} is there",
                "Go on with that number",
            )
        self.reasons = {clip: reason for path in files for clip, reason in _read(path)}

    def add(self, clip_id: str, reason: str) -> None:
        """Record one rejection. A kill during the write loses this one line, and its clip is tried again."""
        self.reasons[clip_id] = reason
        if self._file is None:
            self._file = self._path.open("ab")
        self._file.write((json.dumps({"clip_id": clip_id, "reason": reason}) + "\n").encode())
        self._file.flush()

    def close(self) -> None:
        """Put it on disk for certain, and close."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def _name(rank: int, world: int) -> str:
    return f"rejected-{rank}-of-{world}.jsonl"


def _read(path: Path) -> list[tuple[str, str]]:
    """The whole lines of a file. A torn line, left by a kill, is cut off, so that the next one begins on its own."""
    found, good = [], 0
    content = path.read_bytes()
    for line in content.splitlines(keepends=True):
        try:
            value = json.loads(line)
            found.append((str(value["clip_id"]), str(value["reason"])))
        except (ValueError, KeyError, TypeError):
            break
        if not line.endswith(b"\n"):
            found.pop()
            break
        good += len(line)
    if good < len(content):
        os.truncate(path, good)
    return found


def count_reasons(reasons: dict[str, str]) -> dict[str, int]:
    """How often each kind of reason occurs; the kind is what stands before the first colon."""
    return dict(Counter(reason.split(":")[0] for reason in reasons.values()).most_common())
