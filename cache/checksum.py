"""CRC-32 as zlib computes it, ten times as fast where ISA-L is there."""

try:
    from isal.isal_zlib import crc32
except ImportError:  # no wheel for this machine; the values are the same
    from zlib import crc32

__all__ = ["crc32"]
