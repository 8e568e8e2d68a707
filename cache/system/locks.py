"""Lock a cache, or a share of it, for one writer on one machine or many; a dead writer's lock is free."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import EchoAugmentError
from .limits import NO_LOCKS, remedy_of
from .processes import alive

try:
    import fcntl
except ImportError:  # Windows: only the content of the file counts
    fcntl = None  # type: ignore[assignment]

HEARTBEAT_SECONDS = 20.0
STALE_SECONDS = 180.0
_open_files: set[BinaryIO] = set()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, as far as its file tells."""

    host: str = "?"
    pid: int | str = "?"
    since: str = "?"


def _close_in_child() -> None:
    """Close lock files in a forked child, so that it does not keep the lock when its parent is killed."""
    while _open_files:
        _open_files.pop().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


class FolderLock:
    """A lock file that says who holds it.

    On one machine the kernel's lock decides; it ends with its process, however that ends. Between machines, whose
    network file system may not pass locks on, the holder touches the file every 20 seconds, and another host takes the
    lock over after 180 seconds without a touch.

    Args:
        path: path of the lock file. The file stays, empty, when the lock is released: removing it would let two in.
        patience: seconds to wait for another holder before refusing.

    Raises:
        EchoAugmentError: on entering, another process holds the lock (names host, process and time), or the file
            system has no locks. Then neither the file nor a folder made for it stays.
    """

    def __init__(self, path: Path, patience: float = 0.0) -> None:
        self.path, self.patience = Path(path).absolute(), patience
        self._file: BinaryIO | None = None
        self._stop = threading.Event()

    def __enter__(self) -> "FolderLock":
        new = [folder for folder in (self.path.parent, *self.path.parent.parents) if not folder.exists()]
        found = self.path.exists()
        until = time.monotonic() + self.patience
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while (file := self._try(last=time.monotonic() >= until)) is None:
                time.sleep(min(0.5, self.patience))
        except OSError as error:
            with suppress(OSError):
                if not found:
                    self.path.unlink(missing_ok=True)
                for folder in new:
                    folder.rmdir()
            if error.errno in NO_LOCKS:
                raise EchoAugmentError(f"cannot lock {self.path}: {error}", remedy_of(error)) from error
            raise
        self._file = file
        _open_files.add(file)
        self._heart = threading.Thread(target=self._beat, args=(file,), name="cache-lock", daemon=True)
        self._heart.start()
        return self

    def _try(self, last: bool) -> BinaryIO | None:
        """Return the locked file; if another process holds it return None, or raise if this is the ``last`` try."""
        file = self.path.open("a+b")
        try:
            holder = _holder(file, exclusive=True)
            if holder is None:
                file.truncate(0)
                own = Holder(socket.gethostname(), os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S"))
                file.write(json.dumps(asdict(own)).encode())
                file.flush()
                return file
            if last:
                raise _refusal(self.path, holder)
        except BaseException:
            file.close()
            raise
        file.close()
        return None

    def _beat(self, file: BinaryIO) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            os.utime(file.fileno() if os.utime in os.supports_fd else self.path)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._heart.join()
        file, self._file = self._file, None
        if file is not None and not file.closed:
            _open_files.discard(file)
            file.truncate(0)
            file.close()


def lock_path(folder: Path, rank: int = 0, world: int = 1) -> Path:
    """Return the lock file of one of ``world`` processes that fill a cache together."""
    return Path(folder) / f"fill-{rank}-of-{world}.lock"


@contextmanager
def hold(folder: Path, rank: int = 0, world: int = 1, patience: float = 0.0) -> Iterator[None]:
    """Lock share ``rank`` of ``world`` of a cache; by default the whole cache.

    Args:
        folder: folder of the cache.
        rank: number of the share.
        world: number of shares.
        patience: seconds to wait for another holder of this share before refusing.

    Raises:
        EchoAugmentError: another process holds this share, or a share of a cache split into another number of shares.
    """
    own = lock_path(folder, rank, world)
    with FolderLock(own, patience):
        for other in sorted(Path(folder).glob("fill-*-of-*.lock")):
            if not other.name.endswith(f"-of-{world}.lock"):
                _refuse_held(other)
        yield


def _refuse_held(path: Path) -> None:
    """Raise if a lock is held. Any number of processes may ask at the same time."""
    with path.open("rb") as file:
        holder = _holder(file, exclusive=False)
    if holder is not None:
        raise _refusal(path, holder)


def holder_of(path: Path) -> Holder | None:
    """Return who holds a lock, as its file and its heartbeat tell; None if nobody does, or there is no such file.

    No lock is taken for that, so nobody who wants one is kept from it.
    """
    try:
        with path.open("rb") as file:
            holder, touched = _content(file), os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    if holder is None or time.time() - touched >= STALE_SECONDS:
        return None
    dead = holder.host == socket.gethostname() and isinstance(holder.pid, int) and not alive(holder.pid)
    return None if dead else holder


def _holder(file: BinaryIO, exclusive: bool) -> Holder | None:
    """Return who holds a lock file; None if it is free, and then the kernel's lock is taken."""
    if fcntl is not None:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return _content(file) or Holder()
    holder = _content(file)
    # The kernel let us in, so no living process of this host holds it; another host's may.
    elsewhere = holder is not None and (fcntl is None or holder.host != socket.gethostname())
    fresh = time.time() - os.fstat(file.fileno()).st_mtime < STALE_SECONDS
    return holder if elsewhere and fresh else None


def _refusal(path: Path, holder: Holder) -> EchoAugmentError:
    who = f"process {holder.pid} on {holder.host} since {holder.since}"
    return EchoAugmentError(
        f"another process writes to {path.parent}: {who}",
        f"Wait for it or stop it; if it is dead, this clears by itself within {STALE_SECONDS:.0f} seconds",
    )


def _content(file: BinaryIO) -> Holder | None:
    """Return the holder that a lock file names; None if it is empty, as after a release, or damaged."""
    file.seek(0)
    try:
        content = json.loads(file.read(4096) or b"{}")
    except ValueError:
        return None
    if not content or not isinstance(content, dict):
        return None
    return Holder(**{name: content[name] for name in Holder.__slots__ if name in content})
