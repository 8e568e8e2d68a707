"""Write files so that a reader sees the old one or the whole new one, never a part; read bytes; checksum; JSON."""

import errno
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

try:
    from isal.isal_zlib import crc32
except ImportError:  # no wheel for this machine; the values are the same
    from zlib import crc32

__all__ = ["JsonValue", "atomic_path", "crc32", "file_hash", "read_at", "sync_folder", "write_json"]
_seeking = threading.Lock()
_UNKNOWN_TO_THE_FILE_SYSTEM = frozenset(
    getattr(errno, name) for name in ("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EPERM") if hasattr(errno, name)
)

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in ``path``'s folder; on success fsync it and rename it to ``path``.

    The temporary file lies beside the target and not in the system's temp folder: a rename across file systems is not
    atomic. On an exception the temporary file is removed and ``path`` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("r+b") as file:  # Windows syncs only what may be written
            os.fsync(file.fileno())
        # mkstemp makes files private; give the result the mode a plain open() would have given it.
        umask = os.umask(0)
        os.umask(umask)
        with passed_over():
            temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def passed_over() -> Iterator[None]:
    """Pass over what a file system does not know: modes of files and syncing of folders on CIFS, exFAT or FUSE."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNKNOWN_TO_THE_FILE_SYSTEM:
            raise


def sync_folder(folder: Path) -> None:
    """Make renames inside ``folder`` survive a power cut. Does nothing where the system cannot sync a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            with passed_over():
                os.fsync(handle)
        finally:
            os.close(handle)


def read_at(file: int, size: int, offset: int) -> bytes:
    """Return ``size`` bytes of an open file from ``offset``; the position stays, so threads and forks may share it.

    Raises:
        OSError: the file cannot be read, or ends too early.
    """
    if not hasattr(os, "pread"):  # Windows
        with _seeking:
            os.lseek(file, offset, os.SEEK_SET)
            data = os.read(file, size)
    else:
        data = os.pread(file, size, offset)
    if len(data) != size:
        raise OSError(f"the file ends after {len(data)} of {size} bytes at {offset}")
    return data


def file_hash(path: Path) -> str:
    """Return the BLAKE2b hash of a file's bytes, 32 hex digits.

    Raises:
        OSError: the file cannot be read.
    """
    found = hashlib.blake2b(digest_size=16)
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically.

    Raises:
        ValueError: it holds a NaN or an infinity, which are not JSON.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
