"""Write phantoms in EchoNet-Dynamic's layout, with masks and parameters beside it, and read them back."""

import csv
import io
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypedDict, TypeVar

import cv2
import h5py
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from echo_augment.cache.arguments import check_number, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path, write_json
from echo_augment.cache.system.processes import end_with_parent, usable_cores

from ..video import write_video
from .geometry import contour, pose_at, trace
from .rendering import draw_mask, render, volume_curve
from .sampling import Phantom, sample_phantom

IMAGE_SIZE = 112
SPLITS = ("TRAIN", "VAL", "TEST")
SEEDS_PER_SET = 1_000_000
FORMAT = 2  # of the phantoms' pixels; another one draws the same hearts differently
MOST_FPS = 1e4
RESERVED = range(800, 1000)  # sets on which fidelity and its EF reader judge generators
TABLES = ("FileList.csv", "VolumeTracings.csv")


@dataclass(frozen=True, slots=True, eq=False)
class PhantomLabels:
    """What the tables and ``masks.h5`` hold of one clip: a pure function of the phantom, no pixels drawn.

    Attributes:
        ef: ejection fraction in percent.
        edv: end-diastolic volume, mL.
        esv: end-systolic volume, mL.
        ed_frame: number of the ED frame.
        es_frame: number of the ES frame.
        tracings: ``(2, 21, 4)`` tracings of the ED and the ES frame, pixels.
        masks: ``(T, H * W / 8)`` uint8, LV masks as packed bits.
    """

    ef: float
    edv: float
    esv: float
    ed_frame: int
    es_frame: int
    tracings: npt.NDArray[np.float64]
    masks: npt.NDArray[np.uint8]


def phantom_seeds(n: int, seed: int) -> range:
    """Return the seeds of the ``n`` phantoms of set ``seed``: sets of different seeds share no heart.

    Raises:
        EchoAugmentError: ``n`` or ``seed`` is out of range, or the set is reserved.
    """
    check_whole("n", n, 1, SEEDS_PER_SET)
    check_whole("seed", seed)
    if seed in RESERVED:
        raise EchoAugmentError(f"the phantoms of set {seed} judge generators", "Take a seed below 800 or above 999")
    return range(seed * SEEDS_PER_SET, seed * SEEDS_PER_SET + n)


def assign_splits(n: int, seed: int, splits: Sequence[float]) -> list[str]:
    """Return ``TRAIN``, ``VAL`` or ``TEST`` for each of ``n`` clips, in the shares ``splits``; a pure function.

    Raises:
        EchoAugmentError: ``splits`` are not three shares that sum to 1.
    """
    if len(splits) != 3 or min(splits) < 0 or abs(sum(splits) - 1) > 1e-6:
        raise EchoAugmentError(f"splits must be three shares (train, val, test) that sum to 1, got {tuple(splits)}")
    edges = np.round(np.cumsum(splits) * n).astype(int)
    names = np.repeat(SPLITS, np.diff(np.concatenate([[0], edges[:2], [n]])))
    order = np.random.default_rng([seed, 17]).permutation(n)
    result = np.empty(n, dtype=names.dtype)
    result[order] = names
    return [str(name) for name in result]


def label_phantom(phantom: Phantom, num_frames: int, fps: float) -> PhantomLabels:
    """Return the labels of the clip that `render` makes of ``phantom``."""
    curve = volume_curve(phantom.motion, phantom.appearance, num_frames=num_frames, fps=fps)
    pose = pose_at(phantom.motion, phantom.appearance, curve.times)
    masks = [draw_mask(contour(phantom.motion, phantom.appearance, pose, t), IMAGE_SIZE) for t in range(num_frames)]
    tracings = [trace(phantom.motion, phantom.appearance, pose, t) for t in (curve.ed_frame, curve.es_frame)]
    packed = np.packbits(np.stack(masks).reshape(num_frames, -1), axis=1)
    return PhantomLabels(curve.ef, curve.edv, curve.esv, curve.ed_frame, curve.es_frame, np.stack(tracings), packed)


def write_clip(seed: int, root: Path, num_frames: int, fps: float) -> None:
    """Render and write one video whole, unless it is there already."""
    phantom = sample_phantom(seed)
    path = root / "Videos" / f"{phantom.name}.avi"
    if not path.exists():
        clip = render(phantom.motion, phantom.appearance, num_frames=num_frames, fps=fps)
        write_video(path, clip.frames, fps)


def label_seed(seed: int, num_frames: int, fps: float) -> PhantomLabels:
    """Return the labels of the phantom of ``seed``: a function that another process can be sent."""
    return label_phantom(sample_phantom(seed), num_frames, fps)


def write_phantoms(
    root: str | Path,
    n: int,
    *,
    seed: int = 0,
    num_frames: int = 100,
    fps: float = 50,
    workers: int | None = None,
    splits: Sequence[float] = (0.75, 0.125, 0.125),
) -> Path:
    """Write ``n`` phantoms to ``root``: both CSV files, ``Videos/``, ``masks.h5`` and ``phantoms.json``.

    Kill it at any moment and call it again: the result is the same, byte for byte, for any number of workers.
    ``phantoms.json`` is written last, so a folder that has it is whole. Only one call at a time may write to a folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = write_phantoms(folder, 2, num_frames=40, workers=1)
    ...     sorted(path.name for path in root.iterdir())
    ['FileList.csv', 'Videos', 'VolumeTracings.csv', 'masks.h5', 'phantom_settings.json', 'phantoms.json']

    Args:
        root: folder of the dataset; made if missing.
        n: number of phantoms, 1 to 1,000,000.
        seed: number of the set, 0 or more; sets of different numbers share no heart.
        num_frames: frames a clip, 2 or more.
        fps: frames per second, above 0.
        workers: processes to use; None for one a core.
        splits: shares of TRAIN, VAL and TEST, which sum to 1.

    Returns:
        ``root``.

    Raises:
        EchoAugmentError: an argument is out of range, or ``root`` holds another set.
    """
    root = Path(root)
    seeds, names = phantom_seeds(n, seed), assign_splits(n, seed, splits)
    check_whole("num_frames", num_frames, 2)
    settings: SetSettings = {
        "n": n,
        "seed": seed,
        "frames": num_frames,
        "fps": check_number("fps", fps, 0, MOST_FPS, above_low=True),
        "splits": [float(share) for share in splits],
        "format": FORMAT,
    }
    claim(root, settings)
    todo = [s for s in seeds if not (root / "Videos" / f"P{s:07d}.avi").exists()]
    if not todo and all((root / name).exists() for name in ("phantoms.json", "masks.h5", *TABLES)):
        return root
    for stale in (*root.glob(".*.tmp"), *root.glob("Videos/.*.tmp")):
        stale.unlink(missing_ok=True)
    video = partial(write_clip, root=root, num_frames=num_frames, fps=fps)
    with mapper(workers, n) as spread:
        for _ in tqdm(spread(video, todo), total=len(todo), desc="phantom clips", unit="clip"):
            pass
        found = spread(partial(label_seed, num_frames=num_frames, fps=fps), seeds)
        labels = tqdm(found, total=n, desc="labels", unit="clip")
        write_tables(root, [sample_phantom(s) for s in seeds], names, labels, num_frames, fps)
    write_json(root / "phantoms.json", {"settings": settings, "phantoms": [sample_phantom(s).to_json() for s in seeds]})
    return root


class SetSettings(TypedDict):
    """What ``phantom_settings.json`` says of a set: the arguments of `write_phantoms`, and the format."""

    n: int
    seed: int
    frames: int
    fps: float
    splits: list[float]
    format: int


def claim(root: Path, settings: SetSettings) -> None:
    """Mark ``root`` as the folder of this set before anything else is written there.

    Raises:
        EchoAugmentError: ``root`` holds another set or another dataset.
    """
    path = root / "phantom_settings.json"
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != settings:
            raise EchoAugmentError(f"{root}: holds phantoms of other settings, {found}", "Choose another folder")
    elif (root / "FileList.csv").exists():
        raise EchoAugmentError(f"{root}: holds another dataset (FileList.csv)", "Choose another folder")
    else:
        write_json(path, settings)


def check_format(root: Path) -> None:
    """Raise if ``root`` holds phantoms that another version drew differently.

    Raises:
        EchoAugmentError: the set's format is not `FORMAT`.
    """
    path = root / "phantom_settings.json"
    found = json.loads(path.read_text(encoding="utf-8")).get("format", 1) if path.exists() else FORMAT
    if found != FORMAT:
        raise EchoAugmentError(
            f"{root}: holds phantoms of format {found}; this version draws format {FORMAT}, with other pixels",
            "Write them anew in another folder",
        )


Item = TypeVar("Item")
Result = TypeVar("Result")


class Spread(Protocol):
    """A ``map`` of one iterable, wherever the calls run."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        """Yield the results in the order of ``items``."""


@contextmanager
def mapper(workers: int | None, items: int) -> Iterator[Spread]:
    """Give a ``map`` over ``workers`` processes (None: one a core), in order; in this process if items are few."""
    count = usable_cores() if workers is None else check_whole("workers", workers, 1)
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
    """Make a worker end with its parent, and keep OpenCV from starting threads in every worker."""
    end_with_parent()
    cv2.setNumThreads(1)


def write_tables(
    root: Path, phantoms: list[Phantom], splits: list[str], labels: Iterable[PhantomLabels], num_frames: int, fps: float
) -> None:
    """Write both CSV files and ``masks.h5``, each whole or not at all."""
    videos, tracings = io.StringIO(), io.StringIO()
    rows, lines = (csv.writer(text, lineterminator="\n") for text in (videos, tracings))
    rows.writerow(["FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split"])
    lines.writerow(["FileName", "X1", "Y1", "X2", "Y2", "Frame"])
    with atomic_path(root / "masks.h5") as temporary, h5py.File(temporary, "w") as file:
        file.attrs["height"], file.attrs["width"] = IMAGE_SIZE, IMAGE_SIZE
        for phantom, split, found in zip(phantoms, splits, labels, strict=True):
            numbers = [f"{value:.8f}" for value in (found.ef, found.esv, found.edv)]
            rows.writerow([phantom.name, *numbers, IMAGE_SIZE, IMAGE_SIZE, f"{fps:g}", num_frames, split])
            # EchoNet-Dynamic writes the small (ES) frame first, and its readers rely on it.
            for frame, tracing in zip((found.es_frame, found.ed_frame), found.tracings[::-1], strict=True):
                for points in tracing:
                    lines.writerow([f"{phantom.name}.avi", *(f"{value:.8g}" for value in points), frame])
            file.create_dataset(phantom.name, data=found.masks, compression="gzip", compression_opts=1)
    for name, text in (("VolumeTracings.csv", tracings), ("FileList.csv", videos)):
        with atomic_path(root / name) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")


def load_phantoms(root: str | Path) -> dict[str, Phantom]:
    """Return the phantoms of a folder by name, from its ``phantoms.json``.

    Raises:
        EchoAugmentError: the file is missing, or `write_phantoms` did not write it.
    """
    path = Path(root) / "phantoms.json"
    if not path.is_file():
        raise EchoAugmentError(f"{path}: is missing", "Write the phantoms first: echo-augment phantom out=... n=...")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["phantoms"]
        found = [Phantom.from_json(entry) for entry in entries]
    except (EchoAugmentError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise EchoAugmentError(f"{path}: is not a phantom file ({error})", "Write the phantoms anew") from error
    return {phantom.name: phantom for phantom in found}


def load_masks(root: str | Path, name: str) -> npt.NDArray[np.bool_]:
    """Return the LV masks of one clip, ``(T, H, W)`` bool, from ``masks.h5``.

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
