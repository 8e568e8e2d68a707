"""Mending a single flipped bit from a CRC-32, which tells where it is."""

from .checksum import crc32

POLYNOMIAL = 0xEDB88320
MAX_BYTES = 1 << 22


def mend_single_flip(data: bytes, crc: int) -> bytes | None:
    """``data`` with the one bit flipped that makes its CRC-32 equal to ``crc``, or None where no single bit does.

    A CRC is linear: the difference of two checksums depends on the position of the flipped bit, counted from the end,
    and on nothing else. So the differences of all positions are stepped through, one shift each.

    Args:
        data: at most 4 MiB.
        crc: CRC-32 of the undamaged bytes.
    """
    wanted = crc32(data) ^ crc
    if wanted == 0:
        return data
    if len(data) > MAX_BYTES:
        return None
    # A flipped top bit of the last byte (bit 7, the last that enters the register) changes the checksum by this.
    state = POLYNOMIAL
    for position in range(len(data) * 8):
        if state == wanted:
            k, bit = len(data) - 1 - position // 8, 7 - position % 8
            mended = bytearray(data)
            mended[k] ^= 1 << bit
            return bytes(mended) if crc32(mended) == crc else None
        state = (state >> 1) ^ (POLYNOMIAL if state & 1 else 0)
    return None
