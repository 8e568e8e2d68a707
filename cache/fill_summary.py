"""What a fill did."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class FillSummary:
    """What a fill did.

    Attributes:
        folder: of the cache.
        wanted: clips in the plan (or in this process's share of it).
        sealed: of these, clips in the cache now.
        made: clips of this run.
        rejected: number of clips refused so far, by kind of reason.
        seconds: that this run took.
        size: of the whole cache in bytes.
        fingerprint: of the generator.
    """

    folder: Path
    wanted: int
    sealed: int
    made: int
    rejected: dict[str, int]
    seconds: float
    size: int
    fingerprint: str

    @property
    def complete(self) -> bool:
        """Whether every wanted clip is there."""
        return self.sealed >= self.wanted

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON, for a report."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "folder": str(self.folder), "complete": self.complete}

    def __str__(self) -> str:
        refused = ", ".join(f"{count} {kind}" for kind, count in self.rejected.items())
        text = (
            f"{self.sealed} of {self.wanted} clips in {self.folder} ({self.size / 1e6:.1f} MB), {self.made} of them new"
        )
        text += f" in {self.seconds:.0f} s" + (f"; refused: {refused}" if refused else "")
        return text if self.complete else text + "; the reserve is used up"
