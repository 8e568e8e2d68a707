"""Reading one dataset of a shard chunk by chunk, each after its checksum was found right."""

import zlib
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers the LZ4 and Zstd filters; needed in every process that reads
import numpy as np
import numpy.typing as npt

from .errors import EchoAugmentError
from .preamble import damaged, repair_hint

LZ4 = 32004
FILTERS = {0: "none", 1: "gzip", LZ4: "lz4", 32015: "zstd"}


class Chunks:
    """The clips' frames, or their masks: one chunk of uint8 a clip.

    Args:
        data: of shape ``(N, ...)``, with chunks ``(1, ...)``.
        path: of the shard, for messages.
    """

    def __init__(self, data: h5py.Dataset, path: Path) -> None:
        self.data, self.path = data, path
        self.shape = data.shape[1:]
        properties = data.id.get_create_plist()
        self._filter = properties.get_filter(0)[0] if properties.get_nfilters() else 0
        self._size = int(np.prod(self.shape))
        # A chunk that does not compress grows a little; nothing beyond that is read into memory.
        self._most = self._size + self._size // 8 + 4096
        self._origin = (0,) * len(self.shape)
        self._memory = h5py.h5s.create_simple(self.shape)

    @property
    def compression(self) -> str:
        """``lz4``, ``zstd``, ``gzip``, ``none``, or ``""`` for a filter that is not ours."""
        return FILTERS.get(self._filter, "")

    def extents(self) -> list[tuple[int, int]]:
        """``(offset, size)`` in the file of every chunk."""
        infos = (self.data.id.get_chunk_info(k) for k in range(self.data.id.get_num_chunks()))
        return [(info.byte_offset, info.size) for info in infos]

    def read(self, row: int, crc: int, clip: str) -> npt.NDArray[np.uint8]:
        """The chunk of one clip.

        Args:
            row: of the clip.
            crc: CRC-32 of the chunk as stored.
            clip: its name, for messages.

        Raises:
            EchoAugmentError: it is damaged; names shard, clip and remedy.
        """
        what = f"clip {clip!r} ({self.data.name[1:]})"
        where = (row, *self._origin)
        try:
            size = self.data.id.get_chunk_info_by_coord(where).size
            if size > self._most:
                raise damaged(self.path, f"{what} claims {size} bytes")
            mask, stored = self.data.id.read_direct_chunk(where)
            if mask or zlib.crc32(stored) != crc:
                raise EchoAugmentError(
                    f"{what} in shard {self.path} does not match its checksum", repair_hint(self.path)
                )
            # The LZ4 filter allocates what the chunk's first eight bytes say.
            claimed = int.from_bytes(stored[:8], "big") if self._filter == LZ4 else self._size
            if claimed != self._size:
                raise damaged(self.path, f"{what} claims {claimed} bytes")
            values = np.empty(self.shape, np.uint8)
            space = self.data.id.get_space()
            space.select_hyperslab(where, (1, *self.shape))
            self.data.id.read(self._memory, space, values)
        except (OSError, RuntimeError) as error:
            raise damaged(self.path, f"{what}: {error}") from error
        return values
