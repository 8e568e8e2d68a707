"""Table ``fill``: how a fill scales over processes, and how fast the store writes."""

import os
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from echo_augment.cache import EchoClip, StoreWriter
from echo_augment.training_recipes.fill_scaling import time_fill

from .material import FPS, Material
from .rows import Row, Table, number, seconds_text
from .timing import Contender, interleave, ratio

TWO_PROCESSES = 1.8
HOW = (
    "Processes: a fill of {clips} clips by a generator that only waits {wait:g} s a clip, as one that computes on "
    "another device does, by two processes against one, process start not counted. Writing: {count} clips of 64 frames "
    "into a store and sealed, against their bytes in one raw file, both synced to disk; uncompressed bytes count."
)


def write_raw(frames: npt.NDArray[np.uint8], path: Path) -> None:
    """The frames' bytes in one file, on disk when it returns."""
    with path.open("xb") as file:
        file.write(frames.tobytes())
        file.flush()
        os.fsync(file.fileno())


def write_store(frames: npt.NDArray[np.uint8], folder: Path, compression: str) -> None:
    """The same as a cache, sealed."""
    with StoreWriter(folder, compression=compression) as writer:
        for place, clip in enumerate(frames):
            writer.add(EchoClip(f"w{place:06d}", clip, FPS))


def write_rows(material: Material, rounds: int, count: int) -> list[Row]:
    """Bandwidth of the store over that of a raw file."""
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


def fill_table(material: Material, *, rounds: int, clips: int, wait: float, written: int) -> Table:
    """Measure the table.

    Args:
        material: the hearts.
        rounds: repetitions.
        clips: of each fill.
        wait: seconds a clip of its generator.
        written: clips written at once.
    """
    rows = [process_row(material.work / "fills", rounds, clips, wait), *write_rows(material, rounds, written)]
    how = HOW.format(clips=clips, wait=wait, count=written)
    return Table(name="fill", title="filling a cache", how=how, rows=rows)


def process_row(folder: Path, rounds: int, clips: int, wait: float) -> Row:
    """Two processes against one, in turns."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for turn in tqdm(range(rounds), desc="fill, processes", unit="round", leave=False):
        for processes in (1, 2) if turn % 2 == 0 else (2, 1):
            seconds[processes].append(time_fill(processes, clips, wait, folder / f"{turn}-{processes}"))
    one, two = (np.array(seconds[processes]) for processes in (1, 2))
    texts = [seconds_text(float(np.median(part))) for part in (one, two)]
    return Row(
        what="a fill by two processes, times faster than by one",
        found=ratio(one, two),
        target=TWO_PROCESSES,
        detail=f"{texts[0]} against {texts[1]}",
    )
