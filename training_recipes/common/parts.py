"""Arrays with rows for every video, made in parts by all processes together: a killed stage goes on with the next part.

A part lies in ``<array>.parts`` beside the array until all are there. Then one process joins them, and deletes each
as soon as the array has it, so that no more than one part of an array is on the disk twice.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path, sync_folder
from echo_augment.cache.system.processes import usable_cores
from echo_augment.cache.system.progress import follow

from .ranks import ALONE, Share

PART = 64  # videos of a part, where a stage does not say otherwise
Rows = npt.NDArray[Any]


def at_once() -> None:
    """Wait for nobody."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The processes that make a stage's files together.

    Attributes:
        share: this process's place among them.
        wait: returns when all of them have called it.
    """

    share: Share = ALONE
    wait: Callable[[], None] = at_once

    @property
    def leads(self) -> bool:
        """Whether this process does what one has to do for all."""
        return self.share.rank == 0

    @property
    def cores(self) -> int:
        """CPU cores for this process: those of its machine, shared among the processes there."""
        return max(1, usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", self.share.world)))


SOLO = Crew()


def parts_of(path: Path) -> Path:
    """Return the folder of an array's parts."""
    return path.with_suffix(".parts")


def all_parts(path: Path, count: int, suffix: str = ".npy", size: int | None = None) -> list[tuple[Path, range]]:
    """Return the file of each part, and its videos.

    Args:
        path: of the whole.
        count: videos in all.
        suffix: of a part's file.
        size: videos of a part; None: `PART`.
    """
    size = PART if size is None else size
    folder = parts_of(path)
    return [
        (folder / f"{first:08d}{suffix}", range(first, min(first + size, count))) for first in range(0, count, size)
    ]


def own_parts(parts: Sequence[tuple[Path, range]], what: str, crew: Crew) -> Iterator[tuple[Path, range]]:
    """Yield the parts that are still to be made by this process.

    Args:
        parts: all of them.
        what: name of the stage.
        crew: who makes them.
    """
    for part, numbers in follow(crew.share.of(parts), what, unit="part", show=crew.leads):
        if not part.exists():
            yield part, numbers


def drop_parts(path: Path, crew: Crew) -> None:
    """Delete what is left of the parts of ``path``, once that is whole; one process does it."""
    if crew.leads:
        shutil.rmtree(parts_of(path), ignore_errors=True)


def write_rows(
    path: Path,
    counts: Sequence[int],
    make: Callable[[range], Iterable[Rows]],
    *,
    what: str,
    crew: Crew = SOLO,
    size: int | None = None,
) -> None:
    """Write the rows of all videos, one video after the other, as one array; do nothing if it is there.

    Args:
        path: of the array, ``.npy``: ``(sum of counts, ...)``.
        counts: rows of each video.
        make: returns the rows of some videos, given their numbers: arrays that are laid one after the other.
        what: name of the stage.
        crew: the processes that share the work.
        size: videos of a part; None: `PART`.

    Raises:
        EchoAugmentError: a part is lacking or damaged when all should be there.
    """
    if path.exists():  # killed between joining and being told so
        drop_parts(path, crew)
        return
    parts = all_parts(path, len(counts), size=size)
    if not whole_of(parts_of(path)).exists():
        for part, numbers in own_parts(parts, what, crew):
            with atomic_path(part) as temporary, temporary.open("wb") as file:
                np.save(file, np.concatenate(list(make(numbers))), allow_pickle=False)
    crew.wait()
    if crew.leads:
        join([part for part, _ in parts], [sum(counts[v] for v in numbers) for _, numbers in parts], path)
    drop_parts(path, crew)


def whole_of(folder: Path) -> Path:
    """Return where parts are joined. It exists only once all of them were made."""
    return folder / "whole.npy"


def join(parts: Sequence[Path], rows: Sequence[int], path: Path) -> None:
    """Join ``.npy`` files along their first dimension, and delete each once its rows are safe.

    Kill it at any moment and call it again: it goes on.

    Args:
        parts: the files, in order; all in one folder.
        rows: of each.
        path: of the array.

    Raises:
        EchoAugmentError: one is lacking, cannot be read, or has another number, shape or type of rows.
    """
    whole = whole_of(parts[0].parent)
    left = [number for number, part in enumerate(parts) if part.exists()]
    if left:
        first = _load(parts[left[0]], rows[left[0]])
        shape = (sum(rows), *first.shape[1:])
        begun = _is_array(whole, shape, first.dtype)
        if left != list(range(left[0] if begun else 0, len(parts))):
            lacking = next(number for number in range(len(parts)) if number not in left)
            raise unusable(parts[lacking], "is missing")
        if not begun:
            np.lib.format.open_memmap(whole, mode="w+", dtype=first.dtype, shape=shape).flush()
            sync_folder(whole.parent)
        starts = np.cumsum([0, *rows])
        offset = whole.stat().st_size - int(np.prod(shape)) * first.dtype.itemsize
        row_bytes = int(np.prod(shape[1:])) * first.dtype.itemsize
        with whole.open("r+b") as file:
            for number in left:
                file.seek(offset + int(starts[number]) * row_bytes)
                file.write(_load(parts[number], rows[number], first).tobytes())
                file.flush()
                os.fsync(file.fileno())
                parts[number].unlink()
    elif not whole.exists():
        raise unusable(parts[0], "is missing")
    whole.replace(path)
    sync_folder(path.parent)


def _load(part: Path, rows: int, like: Rows | None = None) -> Rows:
    try:
        found: Rows = np.load(part, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise unusable(part, f"cannot be read ({error})") from None
    if len(found) != rows:
        raise unusable(part, f"has {len(found)} rows, not {rows}")
    if like is not None and (found.shape[1:], found.dtype) != (like.shape[1:], like.dtype):
        kinds = [f"{one.dtype} {one.shape[1:]}" for one in (found, like)]
        raise unusable(part, f"has rows of {kinds[0]}, not {kinds[1]}")
    return found


def unusable(part: Path, why: str) -> EchoAugmentError:
    """Return the error of a part that is lacking or damaged; ``why`` follows its name."""
    remedy = f"Delete {part.parent} and start again. All processes must see one out="
    return EchoAugmentError(f"{part}: {why}", remedy)


def _is_array(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Return whether a file is an array of this kind; one that was cut short while it was made is none."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return found.shape == shape and found.dtype == dtype
