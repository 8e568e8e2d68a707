"""Write phantoms as a data set in EchoNet-Dynamic's layout, with masks and parameters beside it; and read them back."""

import csv
import io
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path, write_json
from echo_augment.cache.system.processes import end_with_parent

from ..video import write_video
from .geometry import contour, pose_at, trace
from .rendering import draw_mask, render, volume_curve
from .sampling import Phantom, sample_phantom

SIZE = 112
SPLITS = ("TRAIN", "VAL", "TEST")
SEEDS_PER_SET = 1_000_000
FORMAT = 2
RESERVED = range(800, 1000)  # sets whose phantoms are those of fidelity and of its EF reader
TABLES = ("FileList.csv", "VolumeTracings.csv")


@dataclass(frozen=True, slots=True, eq=False)
class PhantomLabels:
    """What the tables and ``masks.h5`` hold of one clip: a pure function of the phantom, no pixels drawn."""

    ef: float
    edv: float
    esv: float
    ed_frame: int
    es_frame: int
    tracings: npt.NDArray[np.float64]
    masks: npt.NDArray[np.uint8]


def phantom_seeds(n: int, seed: int) -> range:
    """Seeds of the ``n`` phantoms of set ``seed``: sets of different seeds share no heart."""
    if not 1 <= n <= SEEDS_PER_SET:
        raise EchoAugmentError(f"n must be in [1, {SEEDS_PER_SET}], got {n}")
    if seed < 0:
        raise EchoAugmentError(f"seed must not be negative, got {seed}")
    if seed in RESERVED:
        raise EchoAugmentError(f"the phantoms of set {seed} judge generators", "Take a seed below 800 or above 999")
    return range(seed * SEEDS_PER_SET, seed * SEEDS_PER_SET + n)


def assign_splits(n: int, seed: int, splits: Sequence[float]) -> list[str]:
    """``TRAIN``, ``VAL`` or ``TEST`` for each of ``n`` clips, in the shares ``splits``; a pure function."""
    if len(splits) != 3 or min(splits) < 0 or abs(sum(splits) - 1) > 1e-6:
        raise EchoAugmentError(f"splits must be three shares (train, val, test) that sum to 1, got {tuple(splits)}")
    edges = np.round(np.cumsum(splits) * n).astype(int)
    names = np.repeat(SPLITS, np.diff(np.concatenate([[0], edges[:2], [n]])))
    order = np.random.default_rng([seed, 17]).permutation(n)
    result = np.empty(n, dtype=names.dtype)
    result[order] = names
    return [str(name) for name in result]


def label_phantom(phantom: Phantom, frames: int, fps: float) -> PhantomLabels:
    """Labels of the clip that ``render`` makes of ``phantom``; ``masks`` are ``(T, H * W / 8)`` packed bits."""
    curve = volume_curve(phantom.motion, phantom.appearance, frames=frames, fps=fps)
    pose = pose_at(phantom.motion, phantom.appearance, curve.times)
    masks = [draw_mask(contour(phantom.motion, phantom.appearance, pose, t), SIZE) for t in range(frames)]
    tracings = [trace(phantom.motion, phantom.appearance, pose, t) for t in (curve.ed_frame, curve.es_frame)]
    packed = np.packbits(np.stack(masks).reshape(frames, -1), axis=1)
    return PhantomLabels(curve.ef, curve.edv, curve.esv, curve.ed_frame, curve.es_frame, np.stack(tracings), packed)


def write_clip(seed: int, root: Path, frames: int, fps: float) -> None:
    """Render and write one video, unless it is there already; whole or not at all."""
    phantom = sample_phantom(seed)
    path = root / "Videos" / f"{phantom.name}.avi"
    if not path.exists():
        clip = render(phantom.motion, phantom.appearance, frames=frames, fps=fps)
        write_video(path, clip.frames, fps)


def label_seed(seed: int, frames: int, fps: float) -> PhantomLabels:
    """:func:`label_phantom` of the phantom of ``seed``."""
    return label_phantom(sample_phantom(seed), frames, fps)


def write_phantoms(
    root: str | Path,
    n: int,
    *,
    seed: int = 0,
    frames: int = 100,
    fps: float = 50,
    workers: int | None = None,
    splits: Sequence[float] = (0.75, 0.125, 0.125),
) -> Path:
    """Write ``n`` phantoms to ``root``: both CSV files, ``Videos/``, ``masks.h5`` and ``phantoms.json``.

    Resumable: kill it at any moment, call it again, and the result is the same, byte for byte, for any number of
    workers. ``phantoms.json`` is written last, so a folder that has it is whole. One call at a time may write a folder.

    Args:
        root: the data set's folder.
        n: how many clips.
        seed: of the set; sets of different seeds share no heart.
        frames: of each clip.
        fps: frames per second.
        workers: processes; all cores where None.
        splits: shares of TRAIN, VAL and TEST.

    Returns:
        ``root``.

    Raises:
        EchoAugmentError: an argument out of range, or ``root`` holds another set.
    """
    root = Path(root)
    seeds, names = phantom_seeds(n, seed), assign_splits(n, seed, splits)
    if frames < 2 or not 0 < fps < 1e4:
        raise EchoAugmentError(f"frames must be at least 2 and fps positive, got frames={frames}, fps={fps}")
    settings = {"n": n, "seed": seed, "frames": frames, "fps": float(fps), "splits": [float(s) for s in splits]}
    settings |= {"format": FORMAT}
    claim(root, settings)
    todo = [s for s in seeds if not (root / "Videos" / f"P{s:07d}.avi").exists()]
    if not todo and all((root / name).exists() for name in ("phantoms.json", "masks.h5", *TABLES)):
        return root
    for stale in (*root.glob(".*.tmp"), *root.glob("Videos/.*.tmp")):
        stale.unlink(missing_ok=True)
    video = partial(write_clip, root=root, frames=frames, fps=fps)
    with mapper(workers, n) as spread:
        for _ in tqdm(spread(video, todo), total=len(todo), desc="phantom clips", unit="clip"):
            pass
        labels = tqdm(spread(partial(label_seed, frames=frames, fps=fps), seeds), total=n, desc="labels", unit="clip")
        write_tables(root, [sample_phantom(s) for s in seeds], names, labels, frames, fps)
    write_json(root / "phantoms.json", {"settings": settings, "phantoms": [sample_phantom(s).as_dict() for s in seeds]})
    return root


def claim(root: Path, settings: dict[str, Any]) -> None:
    """Mark ``root`` as the place of this set before anything else is written there, or refuse."""
    path = root / "phantom_settings.json"
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != settings:
            raise EchoAugmentError(f"{root}: holds phantoms of other settings, {found}", "Choose another folder")
    elif (root / "FileList.csv").exists():
        raise EchoAugmentError(f"{root}: holds another data set (FileList.csv)", "Choose another folder")
    else:
        write_json(path, settings)


def check_format(root: Path) -> None:
    """Refuse a set of phantoms that look otherwise than those of this version.

    Raises:
        EchoAugmentError: ``root`` holds such a set.
    """
    path = root / "phantom_settings.json"
    found = json.loads(path.read_text(encoding="utf-8")).get("format", 1) if path.exists() else FORMAT
    if found != FORMAT:
        raise EchoAugmentError(
            f"{root}: phantoms of format {found}; this version draws format {FORMAT}, which looks otherwise",
            "Write them anew in another folder",
        )


@contextmanager
def mapper(workers: int | None, items: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """A ``map`` over ``workers`` processes (all cores where None), in order; in this process for one or few items."""
    count = workers if workers is not None else len(os.sched_getaffinity(0))
    if count < 1:
        raise EchoAugmentError(f"workers must be at least 1, got {count}")
    if count == 1 or items <= 4:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(count, items), mp_context=context, initializer=start_worker)
    try:
        yield partial(pool.map, chunksize=max(1, min(8, items // (4 * count))))
    finally:
        pool.shutdown(cancel_futures=True)


def start_worker() -> None:
    """End with the parent, and keep OpenCV from starting threads of its own in every worker."""
    end_with_parent()
    cv2.setNumThreads(1)


def write_tables(
    root: Path, phantoms: list[Phantom], splits: list[str], labels: Iterable[PhantomLabels], frames: int, fps: float
) -> None:
    """Write both CSV files and ``masks.h5``, each whole or not at all."""
    videos, tracings = io.StringIO(), io.StringIO()
    rows, lines = (csv.writer(text, lineterminator="\n") for text in (videos, tracings))
    rows.writerow(["FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split"])
    lines.writerow(["FileName", "X1", "Y1", "X2", "Y2", "Frame"])
    with atomic_path(root / "masks.h5") as temporary, h5py.File(temporary, "w") as file:
        file.attrs["height"], file.attrs["width"] = SIZE, SIZE
        for phantom, split, found in zip(phantoms, splits, labels, strict=True):
            numbers = [f"{value:.8f}" for value in (found.ef, found.esv, found.edv)]
            rows.writerow([phantom.name, *numbers, SIZE, SIZE, f"{fps:g}", frames, split])
            # EchoNet-Dynamic writes the small (ES) frame first, and its readers rely on it.
            for frame, tracing in zip((found.es_frame, found.ed_frame), found.tracings[::-1], strict=True):
                for points in tracing:
                    lines.writerow([f"{phantom.name}.avi", *(f"{value:.8g}" for value in points), frame])
            file.create_dataset(phantom.name, data=found.masks, compression="gzip", compression_opts=1)
    for name, text in (("VolumeTracings.csv", tracings), ("FileList.csv", videos)):
        with atomic_path(root / name) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")


def load_phantoms(root: str | Path) -> dict[str, Phantom]:
    """The phantoms of a folder by name, from its ``phantoms.json``.

    Raises:
        EchoAugmentError: the file is missing or is not one of ours.
    """
    path = Path(root) / "phantoms.json"
    if not path.is_file():
        raise EchoAugmentError(f"{path}: is missing", "Write the phantoms first: echo-augment phantom out=... n=...")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["phantoms"]
        found = [Phantom.from_dict(entry) for entry in entries]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise EchoAugmentError(f"{path}: is not a phantom file ({error})", "Write the phantoms anew") from error
    return {phantom.name: phantom for phantom in found}


def load_masks(root: str | Path, name: str) -> npt.NDArray[np.bool_]:
    """LV masks ``(T, H, W)`` bool of one clip, from ``masks.h5``.

    Raises:
        EchoAugmentError: the file or the clip is missing.
    """
    path = Path(root) / "masks.h5"
    if not path.is_file():
        raise EchoAugmentError(f"{path}: is missing", "Write the phantoms anew")
    with h5py.File(path, "r", locking=False) as file:
        if name not in file:
            raise EchoAugmentError(f"{path}: has no masks of {name!r}")
        height, width = int(file.attrs["height"]), int(file.attrs["width"])
        packed = file[name][()]
    return np.unpackbits(packed, axis=1, count=height * width).reshape(len(packed), height, width).astype(bool)
