"""Run a command and watch what it takes: time, memory of its whole process tree, disk; over kills and restarts."""

import contextlib
import ctypes
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json

from ..statistics.records import Record

LOOK_SECONDS, KEEP_SECONDS = 0.5, 5.0
PROC = Path("/proc")
PR_SET_PDEATHSIG = 1  # of linux/prctl.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched(Record):
    """What a command took.

    Attributes:
        seconds: while it ran, over all its starts.
        memory: most bytes at one time that its processes had, without mapped files; what they share counts once.
        resident: most bytes at one time with the mapped files that lay in memory, each as often as it was mapped.
        shared_once: whether what they share counts once in ``memory``; in what was kept before that it counts for each.
        starts: how often it was started.
        done: whether it ended well.
    """

    seconds: float = 0.0
    memory: int = 0
    resident: int = 0
    shared_once: bool = False
    starts: int = 0
    done: bool = False

    @classmethod
    def read(cls, path: Path) -> "Watched":
        """Return what a file says; nothing yet where there is none."""
        return cls.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls()


def run_watched(command: Sequence[str], log: Path, kept: Path) -> Watched:
    """Run a command to its end, unless it was before, and return what it took in all its starts.

    Args:
        command: to run.
        log: file to which its output is added.
        kept: JSON file of what it took; written every few seconds, so that a kill costs no more.

    Raises:
        EchoAugmentError: it fails, or this system does not tell what memory processes take.
    """
    before = Watched.read(kept)
    if before.done:
        return before
    if not (PROC / "self" / "smaps_rollup").exists():
        raise EchoAugmentError("memory is read from /proc, and there is none", "Run this on Linux")
    log.parent.mkdir(parents=True, exist_ok=True)
    started = written = time.monotonic()
    found = replace(before, starts=before.starts + 1, shared_once=before.shared_once or not before.starts)
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=_end_with_parent)
        try:
            while process.poll() is None:
                memory, resident = tree_memory(process.pid)
                now = time.monotonic()
                found = replace(
                    found,
                    seconds=before.seconds + now - started,
                    memory=max(found.memory, memory),
                    resident=max(found.resident, resident),
                )
                if now - written > KEEP_SECONDS:
                    write_json(kept, found.to_json())
                    written = now
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_SECONDS)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    found = replace(found, done=process.returncode == 0)
    write_json(kept, found.to_json())
    if not found.done:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise EchoAugmentError(f"{' '.join(command)}: exit code {process.returncode} {''.join(last)}", f"See {log}")
    return found


def _end_with_parent() -> None:
    """Let this process be killed as soon as its parent has gone: a restart must not find it at work."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def tree_memory(root: int) -> tuple[int, int]:
    """Return the bytes that a process and all below it have: without mapped files, and with them.

    Without them, a page that processes share counts in parts that add up to one (Linux's "proportional set size"): a
    forked worker has its parent's memory, and takes none for it until one of the two writes. With them, once for each.
    """
    children: dict[int, list[int]] = {}
    sizes: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _numbers(entry / "status", "PPid", "VmRSS")):
            number = int(entry.name)
            children.setdefault(fields["PPid"], []).append(number)
            sizes[number] = fields.get("VmRSS", 0)
    own, resident, todo = 0, 0, [root]
    while todo:
        number = todo.pop()
        todo += children.get(number, [])
        resident += sizes.get(number, 0)
        own += sum(_numbers(PROC / str(number) / "smaps_rollup", "Pss_Anon", "Pss_Shmem").values())
    return own * 1024, resident * 1024


def _numbers(path: Path, *names: str) -> dict[str, int]:
    """Return some of the numbers in a file of a process; nothing if it has gone."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    return {name: int(value.split()[0]) for name, value in pairs if name in names}


def disk_bytes(*paths: Path) -> int:
    """Return the bytes on disk of some files and folders; a file with several names counts once."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    seen = {(stat.st_dev, stat.st_ino): stat.st_blocks * 512 for stat in (file.stat() for file in files)}
    return sum(seen.values())


def module(*arguments: str) -> list[str]:
    """Return the command that runs a module of this installation."""
    return [sys.executable, "-m", *arguments]
