"""The preamble: the first 4,096 bytes of a shard, read and checked here before the HDF5 library sees the file.

HDF5 skips a user block at the beginning of a file. Ours tells the format version and the length of the file, and holds
a checksum of every byte outside the clips (HDF5's own structures and the table of labels). So a few lines of Python
refuse a truncated, foreign or damaged file, and the C library only parses bytes that are as they were written.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import EchoAugmentError
from ..system.files import crc32

MAGIC = b"\x89ECHOAUG"
FORMAT_VERSION = 1
SIZE = 4096
MAX_GAPS = 224
MAX_CLIPS = 1 << 20
MAX_CLIP_BYTES = 1 << 30
MAX_META_BYTES = 1 << 30
FINGERPRINT_BYTES = 128
_HEAD = struct.Struct(f"<8sIIQIIIIII{FINGERPRINT_BYTES}s")
CRC_AT = 12
_GAP = struct.Struct("<QQ")
REPAIR = "Run: echo-augment cache action=repair cache={folder}"


def damaged(path: Path, what: str) -> EchoAugmentError:
    """Return the error for a shard that is not as it was written."""
    return EchoAugmentError(f"shard {path} is damaged: {what}", repair_hint(path))


def repair_hint(path: Path) -> str:
    """Return the remedy for damage in the shard ``<cache>/shards/<name>``."""
    return REPAIR.format(folder=Path(path).parent.parent)


@dataclass(frozen=True, slots=True)
class Preamble:
    """What a shard says about itself.

    Attributes:
        file_size: bytes of the whole file.
        count: clips in the shard.
        shape: ``(T, H, W)`` of every clip's chunk.
        fingerprint: fingerprint of the generator, or of the packed dataset; ``""`` for none.
        gaps: ``(offset, size)`` of every stretch of the file outside the preamble and the clips, in order.
        gaps_crc: CRC-32 over the bytes of ``gaps``.
    """

    file_size: int
    count: int
    shape: tuple[int, int, int]
    fingerprint: str
    gaps: tuple[tuple[int, int], ...]
    gaps_crc: int

    def pack(self) -> bytes:
        """Return the preamble as 4,096 bytes.

        Raises:
            EchoAugmentError: the fingerprint has more than 128 bytes.
        """
        name = self.fingerprint.encode()
        if len(name) > FINGERPRINT_BYTES or len(self.gaps) > MAX_GAPS:
            raise EchoAugmentError(f"a shard cannot hold {len(name)} bytes of fingerprint and {len(self.gaps)} gaps")
        block = bytearray(SIZE)
        numbers = (self.file_size, self.count, *self.shape, len(self.gaps), self.gaps_crc)
        _HEAD.pack_into(block, 0, MAGIC, FORMAT_VERSION, 0, *numbers, name)
        for k, gap in enumerate(self.gaps):
            _GAP.pack_into(block, _HEAD.size + k * _GAP.size, *gap)
        struct.pack_into("<I", block, CRC_AT, crc32(block))
        return bytes(block)


def unpack(block: bytes, path: Path, file_size: int) -> Preamble:
    """Read and check a preamble.

    Args:
        block: first bytes of the file.
        path: path of the file, for messages.
        file_size: size of the file on disk, in bytes.

    Raises:
        EchoAugmentError: not a shard, another format version, truncated, or damaged; says which.
    """
    if len(block) < SIZE:
        raise damaged(path, f"it has {file_size} bytes, less than its preamble")
    magic, version, crc, size, count, t, h, w, n_gaps, gaps_crc, name = _HEAD.unpack_from(block)
    if magic != MAGIC:
        raise damaged(path, "it does not begin as a shard of echo-augment does")
    zeroed = bytearray(block[:SIZE])
    zeroed[CRC_AT : CRC_AT + 4] = bytes(4)
    if crc32(zeroed) != crc:
        raise damaged(path, "its preamble does not match its checksum")
    if version != FORMAT_VERSION:
        age = "newer" if version > FORMAT_VERSION else "older"
        remedy = "Update echo-augment" if version > FORMAT_VERSION else "Fill the cache again with this version"
        raise EchoAugmentError(
            f"shard {path} has format version {version}, {age} than {FORMAT_VERSION}, which this version reads", remedy
        )
    if size != file_size:
        raise damaged(path, f"it has {file_size} bytes and should have {size}")
    if not (0 < count <= MAX_CLIPS and 0 < t * h * w <= MAX_CLIP_BYTES and n_gaps <= MAX_GAPS):
        raise damaged(path, f"it claims {count} clips of {t}x{h}x{w} and {n_gaps} gaps")
    gaps = tuple(_GAP.unpack_from(block, _HEAD.size + k * _GAP.size) for k in range(n_gaps))
    end = SIZE
    for offset, length in gaps:
        if offset < end or offset + length > size:
            raise damaged(path, f"it claims a stretch of {length} bytes at {offset}")
        end = offset + length
    if sum(length for _, length in gaps) > MAX_META_BYTES:
        raise damaged(path, "its tables claim more than 1 GiB")
    try:
        fingerprint = name.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise damaged(path, "its fingerprint is not text") from None
    return Preamble(size, count, (t, h, w), fingerprint, gaps, gaps_crc)


def find_gaps(chunks: Iterable[tuple[int, int]], file_size: int) -> tuple[tuple[int, int], ...]:
    """Return ``(offset, size)`` of each stretch between the preamble's end and ``file_size`` that no chunk covers."""
    gaps, position = [], SIZE
    for offset, size in sorted(chunks):
        if offset > position:
            gaps.append((position, offset - position))
        position = max(position, offset + size)
    if position < file_size:
        gaps.append((position, file_size - position))
    return tuple(gaps)


def read_gaps(file: BinaryIO, gaps: Iterable[tuple[int, int]]) -> bytes:
    """Return the bytes of ``gaps``, one after the other."""
    parts = []
    for offset, size in gaps:
        file.seek(offset)
        parts.append(file.read(size))
    return b"".join(parts)


def check_file(path: Path, *, proven: bool = True) -> Preamble:
    """Check everything of a shard but its clips: preamble, length, HDF5 structures, table of labels.

    Args:
        path: path of the shard.
        proven: False to check the preamble and the length only.

    Raises:
        EchoAugmentError: as :func:`unpack`, or the bytes outside the clips do not match their checksum.
        OSError: the file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        file_size = file.seek(0, 2)
        file.seek(0)
        preamble = unpack(file.read(SIZE), path, file_size)
        if proven and crc32(read_gaps(file, preamble.gaps)) != preamble.gaps_crc:
            raise damaged(path, "its table or its HDF5 structures do not match their checksum")
    return preamble
