"""Limits of the process and of its machine: read before they are met, and named, with what to do, when they are."""

import errno
import shutil
from pathlib import Path

from ..errors import EchoAugmentError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

SHARED = Path("/dev/shm")  # where Linux keeps shared memory; other systems set no such bound
NO_LOCKS = frozenset(
    getattr(errno, name)
    for name in ("ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EPROTONOSUPPORT")
    if hasattr(errno, name)
)
_FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name))
_CLOSED = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))
TOO_MANY_FILES = frozenset((errno.EMFILE, errno.ENFILE))
_IN_THE_WAY = frozenset((errno.ENOTDIR, errno.EEXIST, errno.EISDIR))


def open_file_limit() -> int | None:
    """Return how many files this process may hold open; None if the system does not tell or sets no limit."""
    if resource is None:
        return None
    soft = int(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return None if soft in (resource.RLIM_INFINITY, -1) else soft


def check_shared_memory(what: str, size: int) -> None:
    """Raise if so many bytes of shared memory are not free.

    Torch would notice only in the middle, and leave a file behind that takes the rest of the room.

    Args:
        what: what needs it, for the message.
        size: bytes.

    Raises:
        EchoAugmentError: with both figures.
    """
    if SHARED.is_dir() and (free := shutil.disk_usage(SHARED).free) < size:
        raise EchoAugmentError(
            f"{what} needs {size / 1e6:,.1f} MB of shared memory, {SHARED} has {free / 1e6:,.1f} MB free",
            "Give the container more (docker run --shm-size=8g, or a memory volume at /dev/shm), or take less",
        )


def remedy_of(error: OSError) -> str:
    """Return what a user can do about an error of the operating system; empty if nothing certain is known."""
    if error.errno in NO_LOCKS:
        return (
            "The file system has no file locks: mount it with them (Lustre: -o flock; NFS: with its lock service, or "
            "local_lock=flock if one machine writes), or write to a local disk and copy the finished folder"
        )
    if error.errno in _FULL:
        return "Make room on the disk, or raise the quota"
    if error.errno in _CLOSED:
        return "Take a folder that this user may write to"
    if error.errno in TOO_MANY_FILES:
        limit = open_file_limit()
        now = "" if limit is None else f", now {limit}"
        return f"Raise the limit of open files (ulimit -n{now}), or use fewer workers"
    if error.errno in _IN_THE_WAY:
        return "Take another folder: something else lies there"
    return ""


def cannot_write(what: str, error: OSError, *, kept: str) -> EchoAugmentError:
    """Return the error for a folder that cannot be written to.

    Args:
        what: the folder, for instance ``"the cache runs/cache"``.
        error: error of the operating system.
        kept: what is not lost: ``"every sealed clip is kept"``.
    """
    again = f"run the same command again: {kept}"
    remedy = remedy_of(error)
    return EchoAugmentError(
        f"cannot write to {what}: {error}", f"{remedy}; then {again}" if remedy else f"R{again[1:]}"
    )
