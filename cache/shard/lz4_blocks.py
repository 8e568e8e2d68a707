"""Encode and decode chunks of HDF5's LZ4 filter without HDF5, and only the blocks that hold the wanted frames.

The filter's layout (registered filter 32004): the chunk's size as 8 bytes and the size of a block as 4 bytes, both big
endian; then for each block 4 bytes with its stored size, and the block, uncompressed if that is its full size. Blocks
do not depend on one another.
"""

import struct
from collections.abc import Iterable, Sequence

import lz4.block
import numpy as np
import numpy.typing as npt

_HEAD = struct.Struct(">QI")
_LENGTH = struct.Struct(">I")
MIN_BLOCK = 4096
WORTH = 2 / 3  # a block that LZ4 does not shrink to this part of its size is quicker to read uncompressed
_compress, _decompress = lz4.block.compress, lz4.block.decompress


def block_bytes(item: int) -> int:
    """Return the block size for items of ``item`` bytes: one item, or as many tiny ones as make 4 KiB."""
    return item * max(1, -(-MIN_BLOCK // item))


def encode(data: bytes, block: int) -> bytes:
    """Return a chunk in blocks of ``block`` bytes, as the filter reads it.

    The filter itself stores a block uncompressed only if LZ4 does not shrink it at all. Here LZ4 has to save a third:
    the speckle of real recordings shrinks by less, and decoding it takes as long as everything else that a training
    sample needs.
    """
    parts = [_HEAD.pack(len(data), block)]
    for start in range(0, len(data), block):
        plain = data[start : start + block]
        small = _compress(plain, store_size=False)
        stored = small if len(small) <= WORTH * len(plain) else plain
        parts += (_LENGTH.pack(len(stored)), stored)
    return b"".join(parts)


def decode(
    stored: memoryview, size: int, item: int, wanted: Sequence[int] | npt.NDArray[np.integer] | None = None
) -> npt.NDArray[np.uint8]:
    """Return the items of a chunk, or the wanted ones.

    Args:
        stored: chunk as it lies in the file.
        size: bytes that it decodes to.
        item: bytes of an item; divides ``size``.
        wanted: numbers of items, in any order, repeats allowed; None for all.

    Returns:
        The items, ``(len(wanted), item)`` uint8.

    Raises:
        ValueError: the chunk is damaged. Whatever size it claims, no more than ``size`` bytes are allocated.
    """
    if len(stored) < _HEAD.size:
        raise ValueError(f"has {len(stored)} bytes")
    claimed, block = _HEAD.unpack_from(stored)
    if claimed != size or not block:
        raise ValueError(f"claims {claimed} bytes in blocks of {block}")
    numbers = range(size // item) if wanted is None else np.asarray(wanted).tolist()
    last = (max(numbers) + 1) * item if wanted is not None and numbers and block % item == 0 else size
    places = _places(stored, -(-last // block))
    parts: Iterable[bytes | memoryview]
    if wanted is None:
        parts = (_block(stored, place, min(block, size - k * block)) for k, place in enumerate(places))
    elif block == item:
        parts = (_block(stored, places[number], item) for number in numbers)
    elif block % item == 0:
        each = block // item
        blocks = {k: _block(stored, places[k], min(block, size - k * block)) for k in {n // each for n in numbers}}
        cuts = ((blocks[n // each], n % each * item) for n in numbers)
        parts = (part[at : at + item] for part, at in cuts)
    else:
        whole = memoryview(b"".join(_block(stored, x, min(block, size - k * block)) for k, x in enumerate(places)))
        parts = (whole[n * item : (n + 1) * item] for n in numbers)
    items = np.empty(len(numbers) * item, np.uint8)
    view, step = items.data, block if wanted is None else item
    for at, part in zip(range(0, len(items), step), parts, strict=True):
        view[at : at + step] = part  # right away, while the processor's cache holds it
    return items.reshape(-1, item)


def _places(stored: memoryview, count: int) -> list[tuple[int, int]]:
    """Return ``(begin, end)`` of the first ``count`` blocks."""
    places: list[tuple[int, int]] = []
    at, length_at = _HEAD.size, _LENGTH.unpack_from
    try:
        for _ in range(count):
            begin = at + 4
            at = begin + length_at(stored, at)[0]
            places.append((begin, at))
    except struct.error:
        raise ValueError(f"ends before block {len(places)}") from None
    if at > len(stored):
        raise ValueError(f"claims blocks of {at} bytes, has {len(stored)}")
    return places


def _block(stored: memoryview, place: tuple[int, int], size: int) -> bytes | memoryview:
    begin, end = place
    source = stored[begin:end]
    if end - begin == size:
        return source
    try:
        data: bytes = _decompress(source, uncompressed_size=size)
    except lz4.block.LZ4BlockError as error:
        raise ValueError(f"does not decode: {error}") from error
    if len(data) != size:
        raise ValueError(f"decodes to {len(data)} bytes, not {size}")
    return data
