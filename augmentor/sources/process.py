"""The process of a live source: it makes clips for the ring until it is told to stop, and ends with its parent."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, PlanLine, StoreWriter
from echo_augment.cache.gates import Gate, judge
from echo_augment.cache.generator import Generator, expect
from echo_augment.cache.system.processes import end_with_parent

from .recipe import Pairing, lines_for
from .ring import ClipRing

STARTING, RUNNING, STOPPED, FAILED = range(4)
PAUSE = 0.01  # seconds between looks at a full ring
PATIENCE = 64  # lines in a row without a clip after which the process gives up


class Status:
    """State of the generator process in shared memory: whether it runs, why it failed, how many clips it made."""

    def __init__(self) -> None:
        self._cells = torch.zeros(4, dtype=torch.int64).share_memory_()  # state, stop wanted, clips made, lines skipped
        self._text = torch.zeros(1024, dtype=torch.uint8).share_memory_()

    @property
    def state(self) -> int:
        """``STARTING``, ``RUNNING``, ``STOPPED`` or ``FAILED``."""
        return int(self._cells[0])

    @property
    def stop_wanted(self) -> bool:
        """Whether :meth:`stop` was called."""
        return bool(self._cells[1])

    @property
    def made(self) -> int:
        """Number of clips made so far."""
        return int(self._cells[2])

    @property
    def skipped(self) -> int:
        """Number of plan lines skipped: a donor that cannot be read, a clip that a gate rejected."""
        return int(self._cells[3])

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
        """Count one clip; only the generator process may call this."""
        self._cells[2] += 1

    def skip(self) -> None:
        """Count one skipped line; only the generator process may call this."""
        self._cells[3] += 1

    def fail(self, cause: str) -> None:
        """Record why it failed."""
        text = np.frombuffer(cause.encode()[: len(self._text)], np.uint8).copy()
        self._text[: len(text)] = torch.from_numpy(text)
        self.enter(FAILED)


def run(
    factory: Callable[[], Generator],
    wanted: Sequence[PlanLine] | Pairing,
    ring: ClipRing,
    status: Status,
    batch: int,
    gates: Sequence[Gate],
    write_to: Path | None,
    nice: int,
) -> None:
    """Make the generator, then fill the ring until asked to stop; the main function of the process.

    Args:
        factory: makes the generator.
        wanted: plan lines, or how to make them from the generator's donors.
        ring: ring to fill.
        status: state to keep up to date.
        batch: number of clips made at a time.
        gates: what each clip must pass.
        write_to: cache folder for the clips, or None; sealed clips survive the end of the process.
        nice: niceness of the process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
    signal.signal(signal.SIGTERM, _terminate)
    end_with_parent()
    if nice and hasattr(os, "nice"):  # Windows has none
        os.nice(nice)
    try:
        generator = factory()
        status.enter(RUNNING)
        lines = _new(lines_for(generator, wanted), write_to)
        try:
            _fill(clips_of(generator, lines, gates, status, batch), ring, status, write_to)
        finally:
            expect(generator, ())
    except Exception as error:  # recorded for the readers; raised again to print the traceback
        status.fail(f"{type(error).__name__}: {error}")
        raise
    status.enter(STOPPED)


def _new(lines: Iterator[PlanLine], write_to: Path | None) -> Iterator[PlanLine]:
    """Return the lines whose clips are not in the cache, so that a second training goes on where the first stopped."""
    if write_to is None or not write_to.is_dir():
        return lines
    there = ClipStore(write_to).ids
    return (line for line in lines if line.clip_id not in there)


def clips_of(
    generator: Generator, lines: Iterator[PlanLine], gates: Sequence[Gate], status: Status, batch: int
) -> Iterator[EchoClip]:
    """Yield the clips of all lines; lines whose donor cannot be read or whose clip a gate rejects are counted.

    Raises:
        EchoAugmentError: 64 lines in a row gave no clip.
    """
    barren = 0
    batches = iter(lambda: list(itertools.islice(lines, batch)), [])
    following = next(batches, [])
    while wanted := following:
        following = next(batches, [])
        expect(generator, [*wanted, *following])  # donors of the next batch are read beside this one
        made = list(_made(generator, wanted))
        pairs = [(line, clip) for line, clip in made if isinstance(clip, EchoClip)]
        problems = [str(problem) for _, problem in made if isinstance(problem, EchoAugmentError)]
        for (line, clip), reason in zip(pairs, judge(gates, pairs), strict=True):
            if reason is None:
                barren = 0
                yield clip
            else:
                problems.append(f"clip {line.clip_id!r}: {reason}")
        for problem in problems:
            status.skip()
            barren += 1
            if barren >= PATIENCE:
                raise EchoAugmentError(f"{barren} plan lines in a row gave no clip; the last one: {problem}")


def _made(
    generator: Generator, lines: Sequence[PlanLine]
) -> Iterator[tuple[PlanLine, EchoClip] | tuple[PlanLine, EchoAugmentError]]:
    """Yield each line with its clip, or with its error; lines that fail together are tried one by one."""
    try:
        clips = generator(lines)
    except EchoAugmentError as error:
        if len(lines) == 1:
            yield lines[0], error
        else:
            for line in lines:
                yield from _made(generator, [line])
        return
    if len(clips) != len(lines):
        raise RuntimeError(f"the generator gave {len(clips)} clips for {len(lines)} plan lines")
    yield from zip(lines, clips, strict=True)


def _fill(clips: Iterator[EchoClip], ring: ClipRing, status: Status, write_to: Path | None) -> None:
    with ExitStack() as stack:
        writer: StoreWriter | None = None
        for clip in clips:
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
            if status.stop_wanted:
                return


def _terminate(number: int, _: Any) -> None:
    raise SystemExit(128 + number)  # unwinds, so that the open shard is sealed
