"""Freed memory is kept: glibc gives large blocks back to the system, and a CPU training asks for them again at once."""

import ctypes
import os

TRIM, MMAP = -1, -3  # glibc's malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
KEPT = {"MALLOC_TRIM_THRESHOLD_": 1 << 34, "MALLOC_MMAP_THRESHOLD_": 1 << 30}  # bytes


def keep_freed_memory() -> bool:
    """Let this process and its children keep freed memory for their next tensors; the peak may be a little higher.

    Without it, pages of large activations are mapped, zeroed and unmapped at every step, in the kernel's time
    (``/usr/bin/time`` shows it, with and without ``MALLOC_TRIM_THRESHOLD_=131072`` in the environment: settings of the
    user's own stay).

    Returns:
        Whether the C library took it; others than glibc do not know these settings.
    """
    if any(name in os.environ for name in KEPT):
        return False
    os.environ.update({name: str(value) for name, value in KEPT.items()})
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    limit = (1 << 31) - 1  # mallopt takes an int
    return bool(mallopt(TRIM, limit) and mallopt(MMAP, min(limit, KEPT["MALLOC_MMAP_THRESHOLD_"])))
