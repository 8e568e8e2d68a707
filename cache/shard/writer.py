"""Write one shard: it is built in memory, written under a temporary name, and renamed when it is whole.

In memory, because HDF5 cannot finish a file after a failed write: on a full disk it leaves handles that it can neither
flush nor close. Here HDF5 never touches the disk, and the finished bytes go out in a plain write that may fail safely.
"""

import errno
import hashlib
import io
import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import h5py
import hdf5plugin
import numpy as np

from ..arguments import check_choice, check_whole
from ..clip import EchoClip
from ..errors import EchoAugmentError
from ..system.files import crc32, sync_folder
from .chunks import chunk_places
from .lz4_blocks import block_bytes, encode
from .preamble import MAX_CLIP_BYTES, MAX_CLIPS, SIZE, Preamble, find_gaps, read_gaps
from .table import Row, to_row, to_table

FilterOptions: TypeAlias = Mapping[str, int | str | tuple[int, ...]]  # for h5py's create_dataset
# LZ4 reads at least twice as fast as Zstd and is a quarter larger, or half as large again if speckle is stored as it is
# (`lz4_blocks.encode`); gzip and none need no plugin.
COMPRESSIONS: dict[str, FilterOptions] = {
    "lz4": dict(hdf5plugin.LZ4()),
    "zstd": dict(hdf5plugin.Zstd(clevel=3)),
    "gzip": {"compression": "gzip", "compression_opts": 4},
    "none": {},
}
TEMPORARY = ".tmp"
ROOM_BYTES = 1 << 18  # for HDF5's structures and the manifest
ROW_BYTES = 512  # a row of labels, in the shard and in the manifest


class ShardWriter:
    """Writes a shard of clips of one shape; readers see it after :meth:`seal` only.

    Args:
        folder: folder of the shard and of its temporary file: a rename must not cross file systems.
        shape: ``(T, H, W)`` of each chunk. A clip may have fewer frames; it is padded with zeros in the file only.
        capacity: highest number of clips.
        compression: ``"lz4"``, ``"zstd"``, ``"gzip"`` or ``"none"``.
        fingerprint: fingerprint of the generator, kept in the preamble.

    Raises:
        EchoAugmentError: an unknown compression, or a shape or capacity out of bounds.
    """

    def __init__(
        self,
        folder: Path,
        shape: tuple[int, int, int],
        *,
        capacity: int,
        compression: str = "lz4",
        fingerprint: str = "",
    ) -> None:
        check_settings(compression, capacity)
        if not 0 < int(np.prod(shape, dtype=np.int64)) <= MAX_CLIP_BYTES:
            raise EchoAugmentError(f"a clip may have up to {MAX_CLIP_BYTES} pixels, got {shape}")
        self.shape, self.capacity, self.fingerprint = shape, capacity, fingerprint
        self._folder, self._filters = Path(folder), COMPRESSIONS[compression]
        self._rows: list[Row] = []
        self._buffer = io.BytesIO()
        # v110: checksummed HDF5 structures, readable by every HDF5 since 1.10. No chunk cache: a clip is written once.
        options = {"libver": ("v110", "v110"), "userblock_size": SIZE, "rdcc_nbytes": 0}
        self._file = h5py.File(self._buffer, "w", **options)
        self._block: int | None = None
        if compression == "lz4":  # a block a frame, so that a reader can skip frames
            self._block = block_bytes(int(np.prod(shape[1:])))
            self._filters = dict(hdf5plugin.LZ4(nbytes=self._block))
        self._frames = self._dataset("frames", shape)
        self._masks: h5py.Dataset | None = None

    def _dataset(self, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
        sizes = {"shape": (0, *shape), "maxshape": (self.capacity, *shape), "chunks": (1, *shape)}
        return self._file.create_dataset(name, dtype="u1", **sizes, **self._filters)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, clip: EchoClip) -> None:
        """Append a clip.

        Raises:
            EchoAugmentError: the shard is full, or the clip does not fit its shape.
            OSError: the disk is full, for instance.
        """
        if len(self) >= self.capacity:
            raise EchoAugmentError(f"the shard is full with {self.capacity} clips")
        if clip.frames.shape[1:] != self.shape[1:] or len(clip.frames) > self.shape[0]:
            raise EchoAugmentError(f"clip {clip.clip_id!r} of {clip.frames.shape} does not fit a shard of {self.shape}")
        to_row(clip, 0, 0)  # raises before anything is written
        self._check_room(clip)
        frames_crc = self._append(self._frames, _padded(clip.frames, self.shape))
        masks_crc = 0
        if clip.masks is not None:
            packed = np.packbits(_padded(clip.masks, self.shape).reshape(-1))
            if self._masks is None:
                self._masks = self._dataset("masks", packed.shape)
            masks_crc = self._append(self._masks, packed)
        self._rows.append(to_row(clip, frames_crc, masks_crc))

    def _append(self, data: h5py.Dataset, values: np.ndarray) -> int:
        """Write the next row; return the CRC-32 of its bytes as stored, after compression."""
        place = (len(self),) + (0,) * values.ndim
        data.resize(len(self) + 1, axis=0)
        if self._block is None:
            data[len(self)] = values
            return crc32(data.id.read_direct_chunk(place)[1])
        stored = encode(values.tobytes(), self._block)
        data.id.write_direct_chunk(place, stored)
        return crc32(stored)

    def seal(self) -> Path:
        """Write the table and the checksums, sync, and rename into place. The name follows from the content.

        Raises:
            EchoAugmentError: the shard is empty.
            OSError: the disk is full, for instance; readers see nothing then.
        """
        if not self._rows:
            raise EchoAugmentError("an empty shard cannot be sealed")
        table = to_table(self._rows)
        self._file.create_dataset("clips", data=table)
        datasets = [data for data in (self._frames, self._masks) if data is not None]
        for data in datasets:  # an interrupted write may have left one chunk too many
            data.resize(min(len(data), len(table)), axis=0)
        chunks = [(place.offset, place.size) for data in datasets for place in chunk_places(data)]
        self._file.close()
        size = self._buffer.seek(0, os.SEEK_END)
        gaps = find_gaps(chunks, size)
        crc = crc32(read_gaps(self._buffer, gaps))
        self._buffer.seek(0)
        self._buffer.write(Preamble(size, len(table), self.shape, self.fingerprint, gaps, crc).pack())
        name = hashlib.blake2b(table.tobytes() + self.fingerprint.encode(), digest_size=10).hexdigest()
        path = self._folder / f"clips-{name}.h5"
        temporary = self._folder / temporary_name()
        try:
            with temporary.open("xb") as file:
                file.write(self._buffer.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self._folder)
        return path

    def discard(self) -> None:
        """Drop the shard if it was not sealed."""
        if self._file:
            self._file.close()
        self._buffer = io.BytesIO()

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return len(self._buffer.getbuffer())

    def _check_room(self, clip: EchoClip) -> None:
        """Raise while the disk still has room for the clips so far."""
        need = self.size + 2 * clip.frames.nbytes + ROOM_BYTES + ROW_BYTES * (len(self) + 1)
        free = shutil.disk_usage(self._folder).free
        if free < need:
            text = f"only {free / 1e6:.1f} MB are free, {need / 1e6:.1f} are needed"
            raise OSError(errno.ENOSPC, text, str(self._folder))


def temporary_name() -> str:
    """Return a name for an unsealed file that tells which process writes it."""
    return f".clips-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(6)}{TEMPORARY}"


def check_settings(compression: str, capacity: int) -> None:
    """Raise if the compression is unknown or a shard cannot hold that many clips."""
    check_choice("compression", compression, list(COMPRESSIONS))
    check_whole("shard_clips", capacity, 1, MAX_CLIPS)


def _padded(array: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    if array.shape == shape:
        return array
    padded = np.zeros(shape, array.dtype)
    padded[: len(array)] = array
    return padded
