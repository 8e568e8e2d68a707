"""Processes of this machine: cores they may use, whether one is alive, and ending with the one that started it."""

import multiprocessing as mp
import os
import threading
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any


def usable_cores() -> int:
    """Return how many CPU cores this process may use; where the system does not tell (macOS, Windows), all of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def alive(pid: int) -> bool:
    """Whether a process of this number is there and runs.

    One that has ended, and whose end nobody has asked for yet, does not: a container's first process may take its time.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """Whether it is a zombie, as Linux tells; elsewhere this is not known."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("Z", "X")


WATCH = 0.5  # seconds between looks at the parent


def end_with_parent() -> None:
    """In a process of ``multiprocessing``: end at once when the parent has gone, whatever took it, ``kill -9`` too.

    For a pool's ``initializer``: its workers would else go on, or wait for ever for a next task.
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
