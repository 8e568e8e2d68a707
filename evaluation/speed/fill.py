"""Table ``fill``: how a fill scales over processes, and how fast the store writes."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip, Plan, PlanLine, Provenance, StoreWriter, fill, make_plan
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.progress import follow

from .material import FPS, Material
from .rows import Row, Table, against, number
from .settings import FillSettings
from .timing import Contender, interleave, ratio

TWO_PROCESSES = 1.8
HOW = (
    "Processes: a fill of {clips} clips by a generator that only waits {wait:g} s a clip, as one that computes on "
    "another device does, by two processes against one, process start not counted. Writing: {count} clips of 64 frames "
    "into a store and sealed, against their bytes in one raw file, both synced to disk; uncompressed bytes count."
)


def write_raw(frames: npt.NDArray[np.uint8], path: Path) -> None:
    """Write the frames' bytes to one file, on disk when it returns."""
    with path.open("xb") as file:
        file.write(frames.tobytes())
        file.flush()
        os.fsync(file.fileno())


def write_store(frames: npt.NDArray[np.uint8], folder: Path, compression: str) -> None:
    """Write the same as a sealed cache."""
    with StoreWriter(folder, compression=compression) as writer:
        for place, clip in enumerate(frames):
            writer.add(EchoClip(f"w{place:06d}", clip, FPS))


def write_rows(material: Material, rounds: int, count: int) -> list[Row]:
    """Return the bandwidth of the store over that of a raw file."""
    stack = np.load(material.stack)
    frames = np.resize(stack, (count, *stack.shape[1:]))
    folder = material.work / "write"
    folder.mkdir()

    def store(compression: str) -> Contender:
        return lambda turn: write_store(frames, folder / f"{compression}{next(numbers)}", compression)

    numbers = iter(range(10**6))
    contenders: dict[str, Contender] = {"raw": lambda turn: write_raw(frames, folder / f"raw{next(numbers)}")}
    kinds = {"lz4": "LZ4", "none": "no"}
    contenders |= {name: store(name) for name in kinds}
    times = interleave(contenders, rounds, what="fill, writing")
    shutil.rmtree(folder)
    rates = {name: f"{number(frames.nbytes / 1e6 / float(np.median(seconds)))} MB/s" for name, seconds in times.items()}
    return [
        Row(
            what=f"write bandwidth of the store with {words} compression, of a raw file's",
            found=ratio(times["raw"], times[name]),
            detail=f"{rates[name]} against {rates['raw']}",
        )
        for name, words in kinds.items()
    ]


def fill_table(material: Material, settings: FillSettings) -> Table:
    """Measure how a fill scales and how fast the store writes.

    Args:
        material: the videos in all forms.
        settings: of the table.
    """
    rounds, clips, wait = settings.rounds, settings.clips, settings.wait
    rows = [process_row(material.work / "fills", rounds, clips, wait), *write_rows(material, rounds, settings.written)]
    how = HOW.format(clips=clips, wait=wait, count=settings.written)
    return Table(name="fill", title="filling a cache", how=how, rows=rows)


def process_row(folder: Path, rounds: int, clips: int, wait: float) -> Row:
    """Return how many times faster two processes fill a cache than one, in turns."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for turn in follow(range(rounds), "fill, processes", unit="round"):
        for processes in (1, 2) if turn % 2 == 0 else (2, 1):
            seconds[processes].append(time_fill(processes, clips, wait, folder / f"{turn}-{processes}"))
    one, two = (np.array(seconds[processes]) for processes in (1, 2))
    return Row(
        what="a fill by two processes, times faster than by one",
        found=ratio(one, two),
        target=TWO_PROCESSES,
        detail=against(one, two),
    )


SHAPE = (16, 112, 112)
FINGERPRINT = "waiting"
DONORS = 50
START_SECONDS = 600.0  # for the processes to start, on a busy machine


def wait_for_clips(lines: Sequence[PlanLine], seconds_per_clip: float) -> list[EchoClip]:
    """Return clips of noise ``(16, 112, 112)`` uint8 after the time they are said to take; the cores stay free."""
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
    """Return a plan of so many clips from made-up donors."""
    donors = {f"H{k:02d}": 20.0 + k for k in range(DONORS)}
    return make_plan(donors, list(donors), clips, reserve=0.0, fingerprint=FINGERPRINT)


def fill_share(
    rank: int,
    world: int,
    clips: int,
    seconds_per_clip: float,
    folder: Path,
    together: Barrier,
    times: "SimpleQueue[tuple[float, float]]",
) -> None:
    """Do one process's share of the plan, once all are ready; put when it began and ended into ``times``."""
    generate = partial(wait_for_clips, seconds_per_clip=seconds_per_clip)
    plan = plan_clips(clips)
    together.wait(START_SECONDS)
    began = time.monotonic()
    fill(plan, generate, folder, batch=4, rank=rank, world=world, progress=False, say=lambda text: None)
    times.put((began, time.monotonic()))


def time_fill(processes: int, clips: int, seconds_per_clip: float, folder: Path) -> float:
    """Return the seconds that processes take to fill a new cache together, their start not counted.

    Args:
        processes: how many share the plan.
        clips: number of clips in the plan.
        seconds_per_clip: how long the generator waits for each.
        folder: where the cache is made; it must hold none yet.

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
