"""Clips that a fill rejected, kept so that a restart does not make them again."""

from collections import Counter
from pathlib import Path

from .errors import EchoAugmentError
from .system.json_lines import JsonLines, read_json_lines


class Rejections:
    """Clip ids with reasons, as JSON lines beside the shards, in a file for each filling process.

    Args:
        folder: folder of the cache.
        rank: number of this process.
        world: number of processes that fill together.

    Attributes:
        reasons: why clips were rejected, by clip id, from all processes.

    Raises:
        EchoAugmentError: the cache has rejections of another number of processes, which divided the reserve
            differently.
    """

    def __init__(self, folder: Path, *, rank: int = 0, world: int = 1) -> None:
        files = sorted(Path(folder).glob("rejected-*-of-*.jsonl"))
        others = [path for path in files if not path.name.endswith(f"-of-{world}.jsonl")]
        if others:
            raise EchoAugmentError(
                f"cache {folder} was filled by another number of processes than {world}: {others[0].name} is there",
                "Go on with that number",
            )
        self._file = JsonLines(Path(folder) / f"rejected-{rank}-of-{world}.jsonl")
        self.reasons = read_reasons(folder)

    def add(self, clip_id: str, reason: str) -> None:
        """Record one rejection. A kill during the write loses this line, and its clip is tried again."""
        self.reasons[clip_id] = reason
        self._file.add({"clip_id": clip_id, "reason": reason})

    def close(self) -> None:
        """Sync the file to disk and close it."""
        self._file.close()


def read_reasons(folder: Path) -> dict[str, str]:
    """Return the reasons of all processes so far, by clip id; their files are not changed."""
    values = [v for path in sorted(Path(folder).glob("rejected-*-of-*.jsonl")) for v in read_json_lines(path)]
    return {str(v["clip_id"]): str(v["reason"]) for v in values if {"clip_id", "reason"} <= v.keys()}


def count_reasons(reasons: dict[str, str]) -> dict[str, int]:
    """Return how often each kind of reason occurs; the kind is the text before the first colon."""
    return dict(Counter(reason.split(":")[0] for reason in reasons.values()).most_common())
