"""One writer for a part of a cache, on one machine or many; a dead writer holds nothing."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import EchoAugmentError

try:
    import fcntl
except ImportError:  # Windows: only what the file says is looked at
    fcntl = None  # type: ignore[assignment]

HEARTBEAT_SECONDS = 20.0
STALE_SECONDS = 180.0
_held: set[Path] = set()  # POSIX locks do not keep a process out of its own


class FolderLock:
    """A lock file that says who holds it.

    On one machine the kernel's lock decides, which goes with its process, however that ends. Between machines, where
    network file systems may not pass locks on, the holder touches the file every 20 seconds; another host takes over
    after 180 seconds without.

    Args:
        path: of the lock file. It stays there, empty, when the lock is given back: removing it would let two in.

    Raises:
        EchoAugmentError: on entering, when another process holds it; names host, process and time.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()
        self._file: BinaryIO | None = None
        self._stop = threading.Event()

    def __enter__(self) -> "FolderLock":
        if self.path in _held:
            raise self._refusal({"host": socket.gethostname(), "pid": os.getpid()})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+b")
        try:
            self._take(file)
        except BaseException:
            file.close()
            raise
        self._file = file
        _held.add(self.path)
        threading.Thread(target=self._beat, name="cache-lock", daemon=True).start()
        return self

    def _take(self, file: BinaryIO) -> None:
        if fcntl is not None:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._refusal(_content(file)) from None
        holder = _content(file)
        # The kernel let us in, so no living process of this host holds it; another host's may.
        elsewhere = bool(holder) and (fcntl is None or holder.get("host") != socket.gethostname())
        if elsewhere and time.time() - os.fstat(file.fileno()).st_mtime < STALE_SECONDS:
            raise self._refusal(holder)
        file.truncate(0)
        content = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        file.write(json.dumps(content).encode())
        file.flush()

    def _refusal(self, holder: dict[str, object]) -> EchoAugmentError:
        who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')} since {holder.get('since', '?')}"
        return EchoAugmentError(
            f"another process writes to {self.path.parent}: {who}",
            f"Wait for it or stop it; if it is dead, this clears by itself within {STALE_SECONDS:.0f} seconds",
        )

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            file = self._file
            if file is not None:
                os.utime(file.fileno())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        _held.discard(self.path)
        file, self._file = self._file, None
        if file is not None:
            file.truncate(0)
            file.close()


def lock_path(folder: Path, rank: int = 0, world: int = 1) -> Path:
    """Lock file of one of ``world`` processes that fill a cache together."""
    return Path(folder) / f"fill-{rank}-of-{world}.lock"


@contextmanager
def hold(folder: Path, rank: int = 0, world: int = 1) -> Iterator[None]:
    """Hold the share ``rank`` of ``world`` of a cache; the whole of it by default.

    Raises:
        EchoAugmentError: another process holds this share, or a share of another division.
    """
    own = lock_path(folder, rank, world)
    with FolderLock(own):
        for other in sorted(Path(folder).glob("fill-*-of-*.lock")):
            if not other.name.endswith(f"-of-{world}.lock"):
                with FolderLock(other):
                    pass  # entering raises where it is held
        yield


def _content(file: BinaryIO) -> dict[str, object]:
    file.seek(0)
    try:
        content = json.loads(file.read(4096) or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
