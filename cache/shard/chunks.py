"""The chunks of an HDF5 dataset in a shard: find where they lie, and read each against its checksum."""

import functools
import io
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import hdf5plugin  # noqa: F401  registers the LZ4 and Zstd filters; needed in every process that reads
import numpy as np
import numpy.typing as npt

from ..errors import EchoAugmentError
from ..system.files import crc32, read_at
from .lz4_blocks import decode
from .preamble import damaged, repair_hint

FILTERS = {0: "none", 1: "gzip", 32004: "lz4", 32015: "zstd"}
Wanted = npt.NDArray[np.int64]


class Chunks:
    """Reads the clips' frames, or their masks: one chunk of uint8 a clip, at 12 bytes of memory each.

    HDF5 is asked once where the chunks are. They are then read by plain reads and decoded here, which takes a third of
    HDF5's time and can skip frames that are not wanted; only Zstd chunks go through HDF5.

    Args:
        data: dataset of shape ``(N, ...)`` with chunks ``(1, ...)``; not kept.
        path: path of the shard.
    """

    def __init__(self, data: h5py.Dataset, path: Path) -> None:
        self.path, self.name = path, data.name[1:]
        self.shape = data.shape[1:]
        properties = data.id.get_create_plist()
        filters = properties.get_nfilters()
        self.compression = FILTERS.get(properties.get_filter(0)[0] if filters else 0, "") if filters < 2 else ""
        self._size = int(np.prod(self.shape))
        self._zstd: tuple[int, h5py.File] | None = None
        self._item = int(np.prod(self.shape[1:])) or 1
        # A chunk that does not compress grows a little; nothing beyond that is read into memory.
        self._most = self._size + self._size // 8 + 4096
        self._offsets = np.zeros(len(data), np.int64)
        self._sizes = np.zeros(len(data), np.int32)  # 0: the chunk is missing
        for row, offset, size, mask in chunk_places(data):
            if not mask and 0 <= row < len(data) and size <= self._most:
                self._offsets[row], self._sizes[row] = offset, size

    def extents(self) -> list[tuple[int, int]]:
        """Return ``(offset, size)`` in the file of every chunk."""
        there = self._sizes > 0
        return list(zip(self._offsets[there].tolist(), self._sizes[there].tolist(), strict=True))

    def read(
        self, file: int, row: int, crc: int, wanted: Wanted | None, clip: Callable[[], str]
    ) -> npt.NDArray[np.uint8]:
        """Return the chunk of one clip, or parts of it; the whole chunk is checked in any case.

        Args:
            file: descriptor of the shard.
            row: row of the clip.
            crc: CRC-32 of the chunk as stored.
            wanted: indices along the chunk's first axis; None for all.
            clip: called for the name of the clip, for messages.

        Raises:
            EchoAugmentError: the chunk is damaged; names shard, clip and remedy.
        """
        if row >= len(self._sizes) or not self._sizes[row]:
            raise damaged(self.path, f"{self._what(clip)} is not there")
        try:
            stored = read_at(file, int(self._sizes[row]), int(self._offsets[row]))
        except OSError as error:
            raise damaged(self.path, f"{self._what(clip)}: {error}") from error
        if crc32(stored) != crc:
            raise EchoAugmentError(
                f"{self._what(clip)} in shard {self.path} does not match its checksum", repair_hint(self.path)
            )
        try:
            if self.compression == "lz4":
                return self._shaped(decode(memoryview(stored), self._size, self._item, wanted))
            whole = self._shaped(self._inflate(stored, row))
        except (OSError, RuntimeError, ValueError, zlib.error) as error:
            raise damaged(self.path, f"{self._what(clip)}: {error}") from error
        if wanted is not None:
            return whole[wanted]
        return whole if whole.flags.writeable else whole.copy()

    def _inflate(self, stored: bytes, row: int) -> npt.NDArray[np.uint8]:
        """Return the whole chunk, perhaps read-only; never allocates more than its size."""
        if self.compression == "zstd":
            if self._zstd is None or self._zstd[0] != os.getpid():  # HDF5 handles do not survive a fork
                self._zstd = os.getpid(), h5py.File(self.path, "r", locking=False, rdcc_nbytes=0)
            decoded: npt.NDArray[np.uint8] = self._zstd[1][self.name][row]
            return decoded
        if self.compression == "gzip":
            stored = zlib.decompressobj().decompress(stored, self._size + 1)
        if len(stored) != self._size:
            raise ValueError(f"decodes to {len(stored)} bytes, not {self._size}")
        return np.frombuffer(stored, np.uint8)

    def _what(self, clip: Callable[[], str]) -> str:
        return f"clip {clip()!r} ({self.name})"

    def close(self) -> None:
        """Close the file that Zstd chunks need; reading opens it again."""
        if self._zstd is not None and self._zstd[0] == os.getpid():
            self._zstd[1].close()
        self._zstd = None

    def _shaped(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return values.reshape(-1, *self.shape[1:])


class Place(NamedTuple):
    """One chunk: its row (first index), offset and size in bytes, and a mask of the filters that were skipped."""

    row: int
    offset: int
    size: int
    mask: int


def chunk_places(data: h5py.Dataset) -> list[Place]:
    """Return every chunk of a dataset with chunks ``(1, ...)``.

    HDF5 up to at least 1.14.2 counts offsets from the end of the user block, later versions from the beginning of the
    file. A small file in memory tells, once, what the installed library does.
    """
    shift = data.file.userblock_size if _counts_from_user_block() else 0
    places: list[Place] = []

    def add(info: h5py.h5d.StoreInfo) -> None:
        places.append(Place(info.chunk_offset[0], info.byte_offset + shift, info.size, info.filter_mask))

    data.id.chunk_iter(add)  # asking chunk by chunk takes quadratic time
    return places


@functools.cache
def _counts_from_user_block() -> bool:
    content = np.random.default_rng(0).integers(0, 256, 64, dtype=np.uint8)
    file = io.BytesIO()
    offsets: list[int] = []
    with h5py.File(file, "w", libver=("v110", "v110"), userblock_size=512) as hdf5:
        data = hdf5.create_dataset("x", data=content[None], chunks=(1, 64))
        data.id.chunk_iter(lambda info: offsets.append(info.byte_offset))
    at = file.getvalue().index(content.tobytes())
    if offsets[0] not in (at, at - 512):
        raise RuntimeError(f"HDF5 {h5py.version.hdf5_version} says that a chunk at {at} is at {offsets[0]}")
    return offsets[0] != at
