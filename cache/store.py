"""Read a cache: clip ``i`` in constant time, from any process, never a damaged one."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from .clip import EchoClip
from .errors import EchoAugmentError
from .manifest import SHARDS, open_manifest
from .shard.reader import ShardReader, gone
from .system.limits import open_file_limit

MAX_OPEN = 256  # open files; 1,024 file handles a process are usual; fewer where the process may hold fewer


def most_open() -> int:
    """Return how many shards' files a store keeps open: a quarter of what the process may hold, at most 256."""
    return min(MAX_OPEN, max(1, (open_file_limit() or 4 * MAX_OPEN) // 4))


class ClipIds(Sequence[str]):
    """The sorted ids of a cache, decoded only when asked for."""

    def __init__(self, column: npt.NDArray[np.bytes_]) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [bytes(value).decode() for value in self._column[index]]
        return bytes(self._column[index]).decode()

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and self.find(value) >= 0

    def find(self, value: str) -> int:
        """Return the position of an id, or -1."""
        text = value.encode()
        k = int(np.searchsorted(self._column, np.bytes_(text)))
        return k if k < len(self._column) and bytes(self._column[k]) == text else -1


class ClipStore(Sequence[EchoClip]):
    """A cache of clips, as it was when it was opened.

    ``store[i]`` reads, checks and returns clip ``i``. Clips are sorted by id, so that the order does not depend on how
    the cache was filled. Only sealed shards are read. The store pickles to a path and the names of its shards, and
    survives fork: each process opens its own files when it first reads. A fill or merge in the meantime does not change
    an open store.

    Args:
        folder: folder of the cache.

    Raises:
        EchoAugmentError: no such folder, a damaged shard, or shards of different generators. Reading raises it for a
            clip that does not match its checksum, naming shard, clip and remedy.

    Example:
        >>> import tempfile
        >>> from echo_augment.cache import StoreWriter
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with StoreWriter(folder) as writer:
        ...         writer.add(EchoClip("a", np.zeros((4, 8, 8), np.uint8), fps=25, ef=60))
        ...     store = ClipStore(folder)
        ...     shape = store[0].frames.shape
        >>> shape, store.ef.tolist()
        ((4, 8, 8), [60.0])
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise EchoAugmentError(f"there is no cache at {self.folder}", "Make one with: echo-augment fill-cache")
        self._open(None)

    def _open(self, only: tuple[str, ...] | None) -> None:
        self._manifest = open_manifest(self.folder, only)
        self.ids = ClipIds(self._manifest.table["id"])
        self._readers: dict[int, ShardReader] = {}
        self._recent: OrderedDict[int, None] = OrderedDict()  # the shards whose files may be open, oldest first

    def __getstate__(self) -> tuple[Path, tuple[str, ...]]:
        return self.folder, self._manifest.shards

    def __setstate__(self, state: tuple[Path, tuple[str, ...]]) -> None:
        self.folder, shards = state
        self._open(shards)

    def __len__(self) -> int:
        return len(self._manifest.table)

    @overload
    def __getitem__(self, index: int) -> EchoClip: ...
    @overload
    def __getitem__(self, index: slice) -> list[EchoClip]: ...
    def __getitem__(self, index: int | slice) -> EchoClip | list[EchoClip]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        reader, row = self._find(index)
        return reader.clip(row)

    def __iter__(self) -> Iterator[EchoClip]:
        return (self[k] for k in range(len(self)))

    def read_frames(
        self, index: int, indices: Sequence[int] | npt.NDArray[np.integer] | slice | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return the frames ``(T, H, W)`` of one clip, or those at ``indices``, without reading labels and masks."""
        reader, row = self._find(index)
        if isinstance(indices, slice):
            indices = range(*indices.indices(reader.count(row)))
        return reader.frames(row, None if indices is None else np.asarray(indices, np.int64).reshape(-1))

    def lazy(self, index: int) -> EchoClip:
        """Return clip ``index``; its frames and masks are read, and checked, when they are first asked for."""
        reader, row = self._find(index)
        return reader.lazy(row)

    def size_of(self, index: int) -> tuple[int, int]:
        """Return ``(H, W)`` of clip ``index`` in pixels; reads no frames."""
        return self._find(index)[0].preamble.shape[1:]

    def tables(self) -> Iterator[npt.NDArray[np.void]]:
        """Yield labels and provenance of all clips, a structured array for each shard, unsorted; reads no frames."""
        for k in range(len(self._manifest.shards)):
            yield self._reader_at(k).table

    @property
    def ef(self) -> npt.NDArray[np.float32]:
        """Ejection fraction of every clip in percent, ``(N,)`` float32; NaN if unknown."""
        return np.ascontiguousarray(self._manifest.table["ef"])

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the generator that made the clips."""
        return self._manifest.fingerprint

    @property
    def shards(self) -> tuple[str, ...]:
        """Names of the shards."""
        return self._manifest.shards

    def shard_of(self, index: int) -> str:
        """Return the name of the shard that holds clip ``index``."""
        return self._manifest.shards[int(self._manifest.table["shard"][index])]

    def close(self) -> None:
        """Close the files; reading opens them again."""
        for reader in self._readers.values():
            reader.close()
        self._recent = OrderedDict()

    def _find(self, index: int) -> tuple[ShardReader, int]:
        place = self._manifest.table[index]
        return self._reader_at(int(place["shard"])), int(place["row"])

    def _reader_at(self, k: int) -> ShardReader:
        reader = self._readers.get(k)
        if reader is None:
            path = self.folder / SHARDS / self._manifest.shards[k]
            try:
                reader = self._readers[k] = ShardReader(path)
            except FileNotFoundError:
                raise gone(path) from None
        self._recent[k] = None
        self._recent.move_to_end(k)
        if len(self._recent) > most_open():
            self._readers[self._recent.popitem(last=False)[0]].close()
        return reader
