"""Reading one sealed shard: nothing leaves it that does not match its checksum."""

import zlib
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers the LZ4 and Zstd filters; needed in every process that reads
import numpy as np
import numpy.typing as npt

from .errors import EchoAugmentError
from .preamble import check_file, damaged, repair_hint
from .record import EchoClip
from .rows import is_table, row_crcs, to_clip

LZ4_FILTER = 32004
FILTERS = {LZ4_FILTER: "lz4", 32015: "zstd", 1: "gzip"}


class ShardReader:
    """A sealed shard, open for reading. Keep one per process: HDF5 handles survive neither fork nor pickling.

    Args:
        path: of the shard.
        proven: whether its checksums outside the clips must be right, as everywhere but in a repair. If not, only what
            has a checksum of its own may be believed: see :meth:`whole`.

    Raises:
        EchoAugmentError: damaged, truncated, or of another format version.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, *, proven: bool = True) -> None:
        self.path = Path(path)
        self.preamble = check_file(self.path, proven=proven)
        try:
            # Chunks are read whole and once: a chunk cache would only copy.
            self._file = h5py.File(self.path, "r", locking=False, rdcc_nbytes=0)
            self.table = self._read_table()
            self._frames = self._dataset("frames", self.preamble.shape)
            packed = (-(-int(np.prod(self.preamble.shape)) // 8),)
            self._masks = self._dataset("masks", packed) if "masks" in self._file else None
        except (OSError, KeyError, RuntimeError, TypeError) as error:
            raise damaged(self.path, f"HDF5 says {error}") from error

    def _read_table(self) -> npt.NDArray[np.void]:
        data = self._file["clips"]
        if not isinstance(data, h5py.Dataset) or not is_table(data.dtype) or data.shape != (self.preamble.count,):
            raise damaged(self.path, "its table of labels is not of this format")
        return data[()]

    def _dataset(self, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
        data = self._file[name]
        rows = self.preamble.count
        fits = isinstance(data, h5py.Dataset) and data.dtype == np.uint8 and data.chunks == (1, *shape)
        if not fits or data.shape[1:] != shape or data.shape[0] > rows or (name == "frames" and data.shape[0] != rows):
            raise damaged(self.path, f"its {name} are not of this format")
        return data

    def __len__(self) -> int:
        return self.preamble.count

    def frames(self, row: int) -> npt.NDArray[np.uint8]:
        """Frames ``(T, H, W)`` of one clip, after its checksum was found right.

        Raises:
            EchoAugmentError: the clip is damaged; names shard, clip and remedy.
        """
        values = self._chunk(self._frames, row, "frames_crc")
        return values[: self._n_frames(row)]

    def masks(self, row: int) -> npt.NDArray[np.bool_] | None:
        """LV masks ``(T, H, W)`` of one clip, or None where it has none. Raises as :meth:`frames`."""
        if not self.table["has_masks"][row]:
            return None
        if self._masks is None:
            raise damaged(self.path, "its masks are missing")
        packed = self._chunk(self._masks, row, "masks_crc")
        size = int(np.prod(self.preamble.shape))
        masks = np.unpackbits(packed, count=size).view(np.bool_).reshape(self.preamble.shape)
        return masks[: self._n_frames(row)]

    def clip(self, row: int) -> EchoClip:
        """The whole clip with labels and provenance. Raises as :meth:`frames`."""
        return to_clip(self.table[row], self.frames(row), self.masks(row))

    def whole(self, row: int) -> EchoClip:
        """The clip, after the checksum of its row of labels was found right as well. Raises as :meth:`frames`."""
        if row_crcs(self.table[row : row + 1])[0] != self.table["row_crc"][row]:
            raise damaged(self.path, f"the labels in row {row} do not match their checksum")
        return self.clip(row)

    def extents(self) -> list[tuple[int, int]]:
        """``(offset, size)`` in the file of every stored chunk."""
        datasets = [data for data in (self._frames, self._masks) if data is not None]
        infos = [data.id.get_chunk_info(k) for data in datasets for k in range(data.id.get_num_chunks())]
        return [(info.byte_offset, info.size) for info in infos]

    @property
    def compression(self) -> str:
        """``lz4``, ``zstd``, ``gzip`` or ``none``."""
        properties = self._frames.id.get_create_plist()
        return FILTERS.get(properties.get_filter(0)[0], "lz4") if properties.get_nfilters() else "none"

    def name(self, row: int) -> str:
        """The id of the clip in ``row``."""
        return bytes(self.table["id"][row]).decode(errors="replace")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _n_frames(self, row: int) -> int:
        count = int(self.table["n_frames"][row])
        if not 0 < count <= self.preamble.shape[0]:
            raise damaged(self.path, f"clip {self.name(row)!r} claims {count} frames")
        return count

    def _chunk(self, data: h5py.Dataset, row: int, column: str) -> npt.NDArray[np.uint8]:
        where = (row,) + (0,) * (data.ndim - 1)
        what = f"clip {self.name(row)!r} ({data.name[1:]})"
        try:
            info = data.id.get_chunk_info_by_coord(where)
            if info.byte_offset is None or info.size > self.preamble.file_size:
                raise damaged(self.path, f"{what} claims {info.size} bytes")
            mask, stored = data.id.read_direct_chunk(where)
            if mask or zlib.crc32(stored) != self.table[column][row]:
                raise EchoAugmentError(
                    f"{what} in shard {self.path} does not match its checksum", repair_hint(self.path)
                )
            values = np.empty(data.shape[1:], np.uint8)
            # The LZ4 filter allocates what the chunk's first eight bytes say.
            if data.id.get_create_plist().get_nfilters() and self._claims(data, stored) > values.size:
                raise damaged(self.path, f"{what} claims {self._claims(data, stored)} bytes")
            space = data.id.get_space()
            space.select_hyperslab(where, (1, *data.shape[1:]))
            data.id.read(h5py.h5s.create_simple(values.shape), space, values)
        except (OSError, RuntimeError) as error:
            raise damaged(self.path, f"{what}: {error}") from error
        return values

    def _claims(self, data: h5py.Dataset, stored: bytes) -> int:
        code = data.id.get_create_plist().get_filter(0)[0]
        return int.from_bytes(stored[:8], "big") if code == LZ4_FILTER else 0
