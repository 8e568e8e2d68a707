"""Reading one sealed shard: nothing leaves it that does not match its checksum."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from .chunks import Chunks
from .errors import EchoAugmentError
from .preamble import check_file, damaged
from .record import EchoClip
from .rows import is_table, row_crcs, to_clip


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
        except (OSError, RuntimeError) as error:
            raise damaged(self.path, f"HDF5 says {error}") from error
        try:
            self.table = self._read_table()
            self._frames = self._chunks("frames", self.preamble.shape)
            packed = (-(-int(np.prod(self.preamble.shape)) // 8),)
            self._masks = self._chunks("masks", packed) if "masks" in self._file else None
        except EchoAugmentError:
            self.close()
            raise
        except (OSError, KeyError, RuntimeError, TypeError) as error:
            self.close()
            raise damaged(self.path, f"HDF5 says {error}") from error

    def _read_table(self) -> npt.NDArray[np.void]:
        data = self._file["clips"]
        if not isinstance(data, h5py.Dataset) or not is_table(data.dtype) or data.shape != (self.preamble.count,):
            raise damaged(self.path, "its table of labels is not of this format")
        return data[()]

    def _chunks(self, name: str, shape: tuple[int, ...]) -> Chunks:
        data = self._file[name]
        rows = self.preamble.count
        fits = isinstance(data, h5py.Dataset) and data.dtype == np.uint8 and data.chunks == (1, *shape)
        if not fits or data.shape[1:] != shape or data.shape[0] > rows or (name == "frames" and data.shape[0] != rows):
            raise damaged(self.path, f"its {name} are not of this format")
        chunks = Chunks(data, self.path)
        if not chunks.compression:
            raise damaged(self.path, f"its {name} have a filter that is not of this format")
        return chunks

    def __len__(self) -> int:
        return self.preamble.count

    def frames(self, row: int) -> npt.NDArray[np.uint8]:
        """Frames ``(T, H, W)`` of one clip, after its checksum was found right.

        Raises:
            EchoAugmentError: the clip is damaged; names shard, clip and remedy.
        """
        values = self._frames.read(row, self.table["frames_crc"][row], self.name(row))
        return values[: self._n_frames(row)]

    def masks(self, row: int) -> npt.NDArray[np.bool_] | None:
        """LV masks ``(T, H, W)`` of one clip, or None where it has none. Raises as :meth:`frames`."""
        if not self.table["has_masks"][row]:
            return None
        if self._masks is None:
            raise damaged(self.path, "its masks are missing")
        packed = self._masks.read(row, self.table["masks_crc"][row], self.name(row))
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
        return self._frames.extents() + (self._masks.extents() if self._masks else [])

    @property
    def compression(self) -> str:
        """``lz4``, ``zstd``, ``gzip`` or ``none``."""
        return self._frames.compression

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
