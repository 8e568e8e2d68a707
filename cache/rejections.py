"""What a fill refused, kept so that a restart does not generate it again."""

from collections import Counter
from pathlib import Path

from .errors import EchoAugmentError
from .system.json_lines import JsonLines, read_json_lines


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
        """Record one rejection. A kill during the write loses this one line, and its clip is tried again."""
        self.reasons[clip_id] = reason
        self._file.add({"clip_id": clip_id, "reason": reason})

    def close(self) -> None:
        """Put it on disk for certain, and close."""
        self._file.close()


def read_reasons(folder: Path) -> dict[str, str]:
    """Reasons by clip id of all processes so far; their files are only looked at."""
    values = [v for path in sorted(Path(folder).glob("rejected-*-of-*.jsonl")) for v in read_json_lines(path)]
    return {str(v["clip_id"]): str(v["reason"]) for v in values if {"clip_id", "reason"} <= v.keys()}


def count_reasons(reasons: dict[str, str]) -> dict[str, int]:
    """How often each kind of reason occurs; the kind is what stands before the first colon."""
    return dict(Counter(reason.split(":")[0] for reason in reasons.values()).most_common())
