"""Write a cache: clips go to the open shard of their shape; full and old shards are sealed."""

import socket
import time
from pathlib import Path
from types import TracebackType

from .arguments import check_whole
from .clip import EchoClip
from .errors import EchoAugmentError
from .manifest import SHARDS
from .shard.writer import TEMPORARY, ShardWriter, check_settings
from .system.processes import alive

SHARD_BYTES = 1 << 27  # an open shard is in memory
OPEN_BYTES = 1 << 28  # all open shards together


class StoreWriter:
    """Adds clips to a cache. Readers see a clip once its shard is sealed; leaving the ``with`` block seals all shards.

    Every shard has one shape; a clip of another shape goes to another shard, so one cache may hold clips of any length.
    With ``round_frames`` clips of similar length share shards; the black frames that fill them up compress to almost
    nothing.

    Args:
        folder: folder of the cache; made if missing.
        compression: ``"lz4"``, ``"zstd"`` (a fifth to a third smaller, half as fast), ``"gzip"`` or ``"none"`` (both
            read without a plugin).
        shard_clips: highest number of clips in a shard; a shard is also sealed at 128 MiB.
        seal_seconds: age of its first clip at which a shard is sealed; a kill loses no more than that.
        round_frames: clips go to shards whose length is the next multiple of this number.
        fingerprint: fingerprint of the generator; every clip must carry the same one in its provenance, or have none.

    Raises:
        EchoAugmentError: an unknown compression, a bad size; from :meth:`add`, a clip of another generator.
        OSError: the disk is full or read-only. Sealed shards stay whole.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> with tempfile.TemporaryDirectory() as folder, StoreWriter(folder) as writer:
        ...     writer.add(EchoClip("a", np.zeros((4, 8, 8), np.uint8), fps=25))
        ...     writer.seal()
        ...     shards = len(writer.sealed)
        >>> shards
        1
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        compression: str = "lz4",
        shard_clips: int = 512,
        seal_seconds: float = 300.0,
        round_frames: int = 1,
        fingerprint: str = "",
    ) -> None:
        check_settings(compression, shard_clips)
        check_whole("round_frames", round_frames, 1)
        self.folder = Path(folder)
        self.compression, self.shard_clips, self.seal_seconds = compression, shard_clips, seal_seconds
        self.round_frames, self.fingerprint = round_frames, fingerprint
        self._shards: dict[tuple[int, int, int], tuple[ShardWriter, float]] = {}
        self.sealed: list[Path] = []
        (self.folder / SHARDS).mkdir(parents=True, exist_ok=True)

    def add(self, clip: EchoClip) -> None:
        """Add one clip to the open shard of its shape."""
        theirs = clip.provenance.fingerprint if clip.provenance else self.fingerprint
        if theirs != self.fingerprint:
            raise EchoAugmentError(
                f"clip {clip.clip_id!r} has fingerprint {theirs!r}, the cache {self.folder} has {self.fingerprint!r}",
                "Fill another folder with the other generator",
            )
        frames, height, width = clip.frames.shape
        shape = (-(-frames // self.round_frames) * self.round_frames, height, width)
        if shape not in self._shards:
            shard = ShardWriter(
                self.folder / SHARDS,
                shape,
                capacity=self.shard_clips,
                compression=self.compression,
                fingerprint=self.fingerprint,
            )
            self._shards[shape] = (shard, time.monotonic())
        self._shards[shape][0].add(clip)
        now = time.monotonic()
        for key, (shard, since) in list(self._shards.items()):
            full = len(shard) >= self.shard_clips or shard.size >= SHARD_BYTES
            if len(shard) and (full or now - since > self.seal_seconds):
                self._seal(key)
        while sum(shard.size for shard, _ in self._shards.values()) > OPEN_BYTES:
            self._seal(max(self._shards, key=lambda key: self._shards[key][0].size))

    def seal(self) -> None:
        """Seal every open shard."""
        for shape in list(self._shards):
            self._seal(shape)

    def discard(self) -> None:
        """Drop all clips that are not sealed."""
        while self._shards:
            self._shards.popitem()[1][0].discard()

    def _seal(self, shape: tuple[int, int, int]) -> None:
        shard, _ = self._shards.pop(shape)
        try:
            if len(shard):
                self.sealed.append(shard.seal())
        finally:
            shard.discard()

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.seal()
        finally:
            self.discard()


def clear_leavings(folder: Path) -> None:
    """Remove the unsealed files that dead processes of this machine left."""
    for path in (Path(folder) / SHARDS).glob(f".clips-*{TEMPORARY}"):
        host, _, rest = path.name.removeprefix(".clips-").rpartition("-")[0].rpartition("-")
        if host == socket.gethostname() and rest.isdigit() and not alive(int(rest)):
            path.unlink(missing_ok=True)
