"""Read one sealed shard: nothing leaves it that does not match its checksum; pixels may be read later."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np
import numpy.typing as npt

from ..clip import EchoClip
from ..errors import EchoAugmentError
from ..system.files import read_at
from ..system.limits import TOO_MANY_FILES, remedy_of
from .chunks import Chunks, Wanted
from .preamble import check_file, damaged
from .table import is_table, row_crc, to_clip


@dataclass(frozen=True, slots=True)
class Unread:
    """Stands for the frames or masks of a clip until they are asked for."""

    reader: "ShardReader"
    row: int
    n_frames: int


class StoredClip(EchoClip):
    """An `EchoClip` whose frames and masks are read, and checked, when they are first asked for.

    Training takes half of a clip's frames and no masks, so half of the work need not be done. Pickling and
    ``dataclasses.replace`` make a whole clip of it.

    Raises:
        EchoAugmentError: from ``frames``, ``masks`` and :meth:`take`, if the clip is damaged.
    """

    __slots__ = ("_frames", "_masks")
    _frames: npt.NDArray[np.uint8] | Unread
    _masks: npt.NDArray[np.bool_] | Unread | None

    def __post_init__(self) -> None:
        self.check_labels()

    @property
    def frames(self) -> npt.NDArray[np.uint8]:
        """``(T, H, W)`` uint8 grayscale."""
        if not isinstance(self._frames, Unread):
            return self._frames
        frames = self._frames.reader.frames(self._frames.row)
        object.__setattr__(self, "_frames", frames)
        return frames

    @frames.setter
    def frames(self, value: npt.NDArray[np.uint8] | Unread) -> None:
        object.__setattr__(self, "_frames", value)

    @property
    def masks(self) -> npt.NDArray[np.bool_] | None:
        """LV masks ``(T, H, W)`` bool, or None."""
        if not isinstance(self._masks, Unread):
            return self._masks
        masks = self._masks.reader.masks(self._masks.row)
        object.__setattr__(self, "_masks", masks)
        return masks

    @masks.setter
    def masks(self, value: npt.NDArray[np.bool_] | Unread | None) -> None:
        object.__setattr__(self, "_masks", value)

    @property
    def n_frames(self) -> int:
        """Number of frames; reads none."""
        return self._frames.n_frames if isinstance(self._frames, Unread) else len(self._frames)

    def take(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Return the frames at ``indices``, ``(len(indices), H, W)``; only these are decoded."""
        if isinstance(self._frames, Unread):
            return self._frames.reader.frames(self._frames.row, np.asarray(indices, np.int64))
        taken: npt.NDArray[np.uint8] = self._frames[indices]
        return taken


class ShardReader:
    """Reads a sealed shard. HDF5 is asked once where everything lies; the file is then read by plain reads.

    It keeps 40 bytes a clip in memory. The file is opened at the first read, and again after :meth:`close`.

    Args:
        path: path of the shard.
        proven: whether the checksums outside the clips must be right, as everywhere but in a repair. If not, only what
            has a checksum of its own can be trusted: see :meth:`clip`.

    Raises:
        EchoAugmentError: the shard is damaged, truncated, or of another format version.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path, *, proven: bool = True) -> None:
        self.path, self._proven = Path(path), proven
        self._file: BinaryIO | None = None
        self._load()

    def _load(self) -> None:
        self._mark = _mark(self.path.stat())
        try:
            self.preamble = check_file(self.path, proven=self._proven)
        except OSError as error:
            _raise_if_too_many(self.path, error)
            raise
        try:
            with h5py.File(self.path, "r", locking=False, rdcc_nbytes=0) as file:
                table = self._read_table(file)
                self._frames = self._chunks(file, "frames", self.preamble.shape)
                packed = (-(-int(np.prod(self.preamble.shape)) // 8),)
                self._masks = self._chunks(file, "masks", packed) if "masks" in file else None
        except (OSError, KeyError, RuntimeError, TypeError) as error:
            _raise_if_too_many(self.path, error)
            raise damaged(self.path, f"HDF5 says {error}") from error
        columns = ("n_frames", "has_masks", "frames_crc", "masks_crc")
        self._counts, self._has_masks, self._frames_crc, self._masks_crc = (table[name].copy() for name in columns)

    def _read_table(self, file: h5py.File) -> npt.NDArray[np.void]:
        data = file["clips"]
        if not isinstance(data, h5py.Dataset) or not is_table(data.dtype) or data.shape != (self.preamble.count,):
            raise damaged(self.path, "its table of labels is not of this format")
        place = data.id.get_offset()
        if place is None:
            raise damaged(self.path, "its table of labels is not in one piece")
        self._type, self._place = data.dtype, int(place)
        table: npt.NDArray[np.void] = data[()]
        return table

    def _chunks(self, file: h5py.File, name: str, shape: tuple[int, ...]) -> Chunks:
        data = file[name]
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

    @property
    def table(self) -> npt.NDArray[np.void]:
        """Labels and provenance of all clips, ``(N,)``; read from the file each time."""
        return self._rows(0, len(self))

    def _rows(self, first: int, count: int) -> npt.NDArray[np.void]:
        size = self._type.itemsize
        try:
            data = read_at(self._descriptor(), count * size, self._place + first * size)
        except OSError as error:
            raise damaged(self.path, f"its table of labels cannot be read: {error}") from error
        return np.frombuffer(data, self._type)

    def _row(self, row: int) -> np.void:
        """Return the labels of one clip after checking their checksum."""
        labels: np.void = self._rows(row, 1)[0]
        if row_crc(labels.tobytes(), self._type) != labels["row_crc"]:
            raise damaged(self.path, f"the labels in row {row} do not match their checksum")
        return labels

    def frames(self, row: int, wanted: Wanted | None = None) -> npt.NDArray[np.uint8]:
        """Return the frames ``(T, H, W)`` of one clip, or those at the indices ``wanted``, after checking its checksum.

        Raises:
            EchoAugmentError: the clip is damaged; names shard, clip and remedy.
            IndexError: an index outside the clip.
        """
        count = self.count(row)
        if wanted is not None:
            wanted = _counted(wanted, count)
        elif count < self.preamble.shape[0]:
            wanted = np.arange(count)
        return self._read(self._frames, row, int(self._frames_crc[row]), wanted)

    def masks(self, row: int) -> npt.NDArray[np.bool_] | None:
        """Return the LV masks ``(T, H, W)`` of one clip, or None if it has none.

        Raises:
            EchoAugmentError: as :meth:`frames`.
        """
        if not self._has_masks[row]:
            return None
        if self._masks is None:
            raise damaged(self.path, "its masks are missing")
        packed = self._read(self._masks, row, int(self._masks_crc[row]))
        size = int(np.prod(self.preamble.shape))
        masks = np.unpackbits(packed, count=size).view(np.bool_).reshape(self.preamble.shape)
        return masks[: self.count(row)]

    def _read(self, chunks: Chunks, row: int, crc: int, wanted: Wanted | None = None) -> npt.NDArray[np.uint8]:
        return chunks.read(self._descriptor(), row, crc, wanted, lambda: self.name(row))

    def clip(self, row: int) -> EchoClip:
        """Return the whole clip with labels and provenance after checking all its checksums.

        Raises:
            EchoAugmentError: as :meth:`frames`.
        """
        return to_clip(self._row(row), self.frames(row), self.masks(row))

    def lazy(self, row: int) -> EchoClip:
        """Return the clip with its labels; frames and masks are read when they are first asked for.

        Raises:
            EchoAugmentError: the labels are damaged.
        """
        unread = Unread(self, row, self.count(row))
        return to_clip(self._row(row), unread, unread, StoredClip)

    def extents(self) -> list[tuple[int, int]]:
        """Return ``(offset, size)`` in the file of every stored chunk."""
        return self._frames.extents() + (self._masks.extents() if self._masks else [])

    @property
    def compression(self) -> str:
        """``"lz4"``, ``"zstd"``, ``"gzip"`` or ``"none"``."""
        return self._frames.compression

    def name(self, row: int) -> str:
        """Return the id of the clip in ``row``."""
        return bytes(self._rows(row, 1)["id"][0]).decode(errors="replace")

    def count(self, row: int) -> int:
        """Return the number of frames of the clip in ``row``.

        Raises:
            EchoAugmentError: the table claims more frames than fit.
        """
        count = int(self._counts[row])
        if not 0 < count <= self.preamble.shape[0]:
            raise damaged(self.path, f"clip {self.name(row)!r} claims {count} frames")
        return count

    def _descriptor(self) -> int:
        if self._file is None:
            try:
                file = self.path.open("rb", buffering=0)
            except FileNotFoundError:
                raise gone(self.path) from None
            except OSError as error:
                _raise_if_too_many(self.path, error)
                raise
            if _mark(os.fstat(file.fileno())) != self._mark:  # repaired in the meantime: the same clips at other places
                self._load()
            self._file = file
        return self._file.fileno()

    def close(self) -> None:
        """Close the file; reading opens it again."""
        for part in (self._file, self._frames, self._masks):
            if part is not None:
                part.close()
        self._file = None

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()


def _counted(wanted: Wanted, count: int) -> Wanted:
    """Return frame indices counted from the front, as a list of ``count`` items counts them."""
    if not len(wanted) or (wanted.min() >= 0 and wanted.max() < count):
        return wanted
    outside = (wanted < -count) | (wanted >= count)
    if outside.any():
        raise IndexError(f"frame {wanted[outside][0]} of a clip of {count}")
    return np.where(wanted < 0, wanted + count, wanted)


def gone(path: Path) -> EchoAugmentError:
    """Return the error for a shard that has gone since the cache was opened."""
    return EchoAugmentError(f"shard {path} has gone since the cache was opened", "Open the cache again")


def _raise_if_too_many(path: Path, error: Exception) -> None:
    """Raise if the process has too many files open, which says nothing about the shard."""
    if isinstance(error, OSError) and error.errno in TOO_MANY_FILES:
        raise EchoAugmentError(f"shard {path} cannot be opened: too many open files", remedy_of(error)) from error


def _mark(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
