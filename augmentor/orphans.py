"""Processes that end with the one that started them."""

import multiprocessing as mp
import os
import threading
from multiprocessing.connection import wait
from typing import Any

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
