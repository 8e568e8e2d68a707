"""The process that generates: it fills the ring until it is told to stop, and ends with its parent."""

import itertools
import multiprocessing as mp
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
import torch

from echo_augment.cache import EchoClip, PlanLine, StoreWriter

from .ring import ClipRing

Generate = Callable[[Sequence[PlanLine]], Sequence[EchoClip]]
STARTING, RUNNING, STOPPED, FAILED = range(4)
STRIDE = 0x1E3779B97F4A7C15  # odd and large: seeds of different rounds do not meet
WATCH = 0.5  # seconds between looks at the parent
PAUSE = 0.01  # seconds between looks at a full ring


class Status:
    """State of the generator process in shared memory: whether it runs, why it failed, how many clips it made."""

    def __init__(self) -> None:
        self._cells = torch.zeros(3, dtype=torch.int64).share_memory_()  # state, stop wanted, clips made
        self._text = torch.zeros(1024, dtype=torch.uint8).share_memory_()

    @property
    def state(self) -> int:
        """``STARTING``, ``RUNNING``, ``STOPPED`` or ``FAILED``."""
        return int(self._cells[0])

    @property
    def stop_wanted(self) -> bool:
        """Whether `stop` was called."""
        return bool(self._cells[1])

    @property
    def made(self) -> int:
        """Clips generated so far."""
        return int(self._cells[2])

    @property
    def cause(self) -> str:
        """Why it failed."""
        return bytes(self._text.tolist()).rstrip(b"\0").decode(errors="replace")

    def enter(self, state: int) -> None:
        """Set the state."""
        self._cells[0] = state

    def stop(self) -> None:
        """Ask the process to end."""
        self._cells[1] = 1

    def count(self) -> None:
        """Count one clip; called by the generator process alone."""
        self._cells[2] += 1

    def fail(self, cause: str) -> None:
        """Record why it failed."""
        text = np.frombuffer(cause.encode()[: len(self._text)], np.uint8).copy()
        self._text[: len(text)] = torch.from_numpy(text)
        self.enter(FAILED)


def endless(lines: Sequence[PlanLine]) -> Iterator[PlanLine]:
    """The lines of a plan again and again; each further round has other seeds and ids, so other clips."""
    for turn in itertools.count():
        for line in lines:
            seed = (line.seed + turn * STRIDE) % 2**63
            yield line if turn == 0 else replace(line, clip_id=f"{line.clip_id}+{turn}", seed=seed)


def run(
    factory: Callable[[], Generate],
    lines: Sequence[PlanLine],
    ring: ClipRing,
    status: Status,
    batch: int,
    write_to: Path | None,
    nice: int,
) -> None:
    """The process: make the generator, then fill the ring until asked to stop. Sealed clips survive its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if nice:
        os.nice(nice)
    try:
        _fill(factory(), endless(lines), ring, status, batch, write_to)
    except Exception as error:  # recorded for the readers, and raised again so that the traceback is printed
        status.fail(f"{type(error).__name__}: {error}")
        raise
    status.enter(STOPPED)


def _fill(
    generate: Generate, lines: Iterator[PlanLine], ring: ClipRing, status: Status, batch: int, write_to: Path | None
) -> None:
    status.enter(RUNNING)
    with ExitStack() as stack:
        writer: StoreWriter | None = None
        while not status.stop_wanted:
            for clip in generate(list(itertools.islice(lines, batch))):
                if write_to is not None:
                    if writer is None:
                        mark = clip.provenance.fingerprint if clip.provenance else ""
                        writer = stack.enter_context(StoreWriter(write_to, fingerprint=mark))
                    writer.add(clip)
                while not ring.put(clip):
                    if status.stop_wanted:
                        return
                    time.sleep(PAUSE)
                status.count()


def _terminate(number: int, _: Any) -> None:
    raise SystemExit(128 + number)  # unwinds, so that the open shard is sealed


def _end_with_parent() -> None:
    """End at once when the parent has gone, whatever took it: no process and no memory stays behind."""
    parent: Any = mp.parent_process()
    direct = os.getppid() == parent.pid  # not so under forkserver
    while not wait([parent.sentinel], timeout=WATCH):
        # Forked DataLoader workers hold the sentinel open for some seconds after their parent.
        if direct and os.getppid() != parent.pid:
            break
    os._exit(1)
