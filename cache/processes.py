"""Processes of this machine."""

import os
from pathlib import Path


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
