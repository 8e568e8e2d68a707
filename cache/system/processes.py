"""Processes of this machine: usable cores, whether a process is alive, ending with the parent process."""

import contextlib
import ctypes
import multiprocessing as mp
import os
import threading
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any


def usable_cores() -> int:
    """Return how many CPU cores this process may use; macOS and Windows do not tell, so there it is all of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def alive(pid: int) -> bool:
    """Return whether process ``pid`` runs.

    A zombie (ended, but its parent has not asked for its exit code yet) does not: a container's first process may take
    its time to ask. On Windows, which does not tell, every process counts as running.
    """
    if os.name == "nt":  # there os.kill(pid, 0) would send Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """Return whether a process is a zombie; known on Linux only, elsewhere False."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("Z", "X")


WATCH = 0.5  # seconds between looks at the parent


def give_back_memory() -> None:
    """Return to the system what the C library keeps of freed memory.

    Does nothing where the C library has no ``malloc_trim`` (glibc has).
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def end_with_parent() -> None:
    """Let this process of ``multiprocessing`` end as soon as its parent has gone, even by ``kill -9``.

    Also for a pool's ``initializer``: without it the workers would go on, or wait forever for a task.
    """
    threading.Thread(target=_watch, name="end_with_parent", daemon=True).start()


def _watch() -> None:
    parent: Any = mp.parent_process()
    direct = os.getppid() == parent.pid  # not so under forkserver
    while not wait([parent.sentinel], timeout=WATCH):
        # Forked DataLoader workers hold the sentinel open for some seconds after their parent.
        if direct and os.getppid() != parent.pid:
            break
    os._exit(1)
