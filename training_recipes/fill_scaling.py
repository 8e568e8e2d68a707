"""How a fill gains from a second process: timed with a generator that waits, as one on a GPU does for its clips."""

import multiprocessing
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from echo_augment.cache import EchoClip, Plan, PlanLine, Provenance, fill, make_plan
from echo_augment.cache.errors import EchoAugmentError

SHAPE = (16, 112, 112)
FINGERPRINT = "waiting"
HEARTS = 50
START_SECONDS = 600.0  # for the processes to start, on a busy machine


def wait_for_clips(lines: Sequence[PlanLine], seconds_per_clip: float) -> list[EchoClip]:
    """Clips of noise, ``SHAPE`` ``(T, H, W)`` uint8, after the time they are said to take; the cores stay free."""
    time.sleep(seconds_per_clip * len(lines))
    return [
        EchoClip(
            clip_id=line.clip_id,
            frames=np.random.default_rng(line.seed).integers(0, 120, SHAPE, dtype=np.uint8),
            fps=12.5,
            ef=50.0,
            provenance=Provenance(line.motion_donor, line.appearance_donor, line.seed, fingerprint=FINGERPRINT),
        )
        for line in lines
    ]


def plan_clips(clips: int) -> Plan:
    """A plan of so many clips from made-up hearts."""
    hearts = {f"H{k:02d}": 20.0 + k for k in range(HEARTS)}
    return make_plan(hearts, list(hearts), clips, reserve=0.0, fingerprint=FINGERPRINT)


def fill_share(
    rank: int, world: int, clips: int, seconds_per_clip: float, folder: Path, together: Any, times: Any
) -> None:
    """One process of :func:`time_fill`: its share of the plan, once all are ready; puts when it began and ended."""
    generate = partial(wait_for_clips, seconds_per_clip=seconds_per_clip)
    plan = plan_clips(clips)
    together.wait(START_SECONDS)
    began = time.monotonic()
    fill(plan, generate, folder, batch=4, rank=rank, world=world, progress=False, say=lambda text: None)
    times.put((began, time.monotonic()))


def time_fill(processes: int, clips: int, seconds_per_clip: float, folder: Path) -> float:
    """Seconds that ``processes`` processes take to fill a new cache together, their start not counted.

    Args:
        processes: that share the plan.
        clips: in the plan.
        seconds_per_clip: that the generator waits for each.
        folder: of the cache; it must hold none yet.

    Raises:
        EchoAugmentError: an argument out of range, the folder holds a cache, or a process failed.
    """
    if processes < 1 or clips < processes or seconds_per_clip < 0:
        raise EchoAugmentError(
            "processes must be 1 or more, clips no fewer, and seconds_per_clip not negative, got "
            f"{processes}, {clips}, {seconds_per_clip}"
        )
    if (Path(folder) / "plan.jsonl").exists():
        raise EchoAugmentError(f"{folder} holds a cache already", "Give a new folder")
    context = multiprocessing.get_context("spawn")
    together, times = context.Barrier(processes), context.SimpleQueue()
    shares = [(rank, processes, clips, seconds_per_clip, Path(folder), together, times) for rank in range(processes)]
    running = [context.Process(target=fill_share, args=share) for share in shares]
    for process in running:
        process.start()
    for process in running:
        process.join()
    codes = [process.exitcode for process in running]
    if any(codes):
        raise EchoAugmentError(f"a process that filled {folder} failed: exit codes {codes}")
    spans = [times.get() for _ in running]
    return max(end for _, end in spans) - min(begin for begin, _ in spans)
