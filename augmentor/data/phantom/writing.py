"""Write phantoms in EchoNet-Dynamic's layout, with masks and parameters beside it."""

import csv
import io
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import cv2
import h5py
import numpy as np
import numpy.typing as npt

from echo_augment.cache.arguments import check_whole
from echo_augment.cache.system.files import atomic_path, write_json
from echo_augment.cache.system.processes import end_with_parent, usable_cores
from echo_augment.cache.system.progress import follow

from ..video import write_video
from .geometry import contours, pose_at, traces
from .rendering import draw_mask, render, volume_curve
from .sampling import FORMAT, Phantom
from .sets import PhantomSet, claim

IMAGE_SIZE = 112
TABLES = ("FileList.csv", "VolumeTracings.csv")
FEW = 12  # phantoms that one process has drawn when others have only just started


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


def label_phantom(phantom: Phantom, num_frames: int, fps: float) -> PhantomLabels:
    """Return the labels of the clip that `render` makes of ``phantom``."""
    curve = volume_curve(phantom.motion, phantom.appearance, num_frames=num_frames, fps=fps)
    pose = pose_at(phantom.motion, phantom.appearance, curve.times)
    masks = [draw_mask(border, IMAGE_SIZE) for border in contours(phantom.motion, phantom.appearance, pose)]
    tracings = traces(phantom.motion, phantom.appearance, pose)[[curve.ed_frame, curve.es_frame]]
    packed = np.packbits(np.stack(masks).reshape(num_frames, -1), axis=1)
    return PhantomLabels(curve.ef, curve.edv, curve.esv, curve.ed_frame, curve.es_frame, tracings, packed)


def write_clip(seed: int, root: Path, settings: PhantomSet) -> None:
    """Render and write one video whole, unless it is there already."""
    path = root / "Videos" / f"{settings.name(seed)}.avi"
    if not path.exists():
        phantom, (num_frames, fps) = settings.heart(seed), settings.recorded(seed)
        clip = render(phantom.motion, phantom.appearance, num_frames=num_frames, fps=fps)
        write_video(path, clip.frames, fps)


def label_seed(seed: int, settings: PhantomSet) -> tuple[Phantom, PhantomLabels]:
    """Return the phantom of ``seed`` and its labels: a function that another process can be sent."""
    phantom = settings.heart(seed)
    return phantom, label_phantom(phantom, *settings.recorded(seed))


def write_phantoms(
    root: str | Path,
    n: int,
    *,
    seed: int = 0,
    num_frames: int = 100,
    fps: float = 50,
    workers: int | None = None,
    splits: Sequence[float] = (0.75, 0.125, 0.125),
    format: int = FORMAT,
    population: str = "A",
    recording: str = "fixed",
    label_noise: float = 0.0,
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
        workers: processes to use; None for one a core, and for this one alone if phantoms are few.
        splits: shares of TRAIN, VAL and TEST, which sum to 1.
        format: 3, or 2 for hearts that contract and do nothing else.
        population: ``"A"``, or ``"B"`` for another scanner.
        recording: ``"fixed"``: ``num_frames`` at ``fps``; ``"table"``: both drawn as EchoNet-Dynamic's table has them.
        label_noise: standard deviation, in points, of the error of the EF of TRAIN and VAL in ``FileList.csv``, whose
            ESV follows; ``true_ef.csv`` then has the true and a noisy EF of every video.

    Returns:
        ``root``.

    Raises:
        EchoAugmentError: an argument is out of range, or ``root`` holds another set.
    """
    root = Path(root)
    settings = PhantomSet(
        n=n,
        seed=seed,
        frames=num_frames,
        fps=fps,
        splits=tuple(splits),
        format=format,
        population=population,
        recording=recording,
        label_noise=label_noise,
    )
    seeds, names = settings.seeds, settings.names_of_splits
    claim(root, settings)
    todo = [s for s in seeds if not (root / "Videos" / f"{settings.name(s)}.avi").exists()]
    if not todo and all((root / name).exists() for name in ("phantoms.json", "masks.h5", *TABLES)):
        return root
    for stale in (*root.glob(".*.tmp"), *root.glob("Videos/.*.tmp")):
        stale.unlink(missing_ok=True)
    with mapper(workers, n) as spread:
        written = spread(partial(write_clip, root=root, settings=settings), todo)
        for _ in follow(written, "phantom clips", unit="clip", total=len(todo)):
            pass
        found = spread(partial(label_seed, settings=settings), seeds)
        phantoms = write_tables(root, settings, names, follow(found, "labels", unit="clip", total=n))
    entries = [phantom.to_json() for phantom in phantoms]
    write_json(root / "phantoms.json", {"settings": settings.to_json(), "phantoms": entries})
    return root


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
    if count == 1 or items <= (FEW if workers is None else 4):
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
    root: Path, settings: PhantomSet, splits: list[str], labels: Iterable[tuple[Phantom, PhantomLabels]]
) -> list[Phantom]:
    """Write the tables and ``masks.h5``, each whole or not at all, and return the phantoms."""
    videos, tracings, truth = io.StringIO(), io.StringIO(), io.StringIO()
    rows, lines, true = (csv.writer(text, lineterminator="\n") for text in (videos, tracings, truth))
    rows.writerow(["FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split"])
    lines.writerow(["FileName", "X1", "Y1", "X2", "Y2", "Frame"])
    true.writerow(["FileName", "EF", "NoisyEF"])
    phantoms = []
    with atomic_path(root / "masks.h5") as temporary, h5py.File(temporary, "w") as file:
        file.attrs["height"], file.attrs["width"] = IMAGE_SIZE, IMAGE_SIZE
        for split, (phantom, found) in zip(splits, labels, strict=True):
            phantoms.append(phantom)
            num_frames, fps = settings.recorded(phantom.seed)
            noisy, esv, ef = settings.noisy_ef(phantom.seed, found.ef), found.esv, found.ef
            if settings.label_noise and split != "TEST":
                ef, esv = noisy, found.edv * (1 - noisy / 100)
            numbers = [f"{value:.8f}" for value in (ef, esv, found.edv)]
            rows.writerow([phantom.name, *numbers, IMAGE_SIZE, IMAGE_SIZE, f"{fps:g}", num_frames, split])
            true.writerow([phantom.name, f"{found.ef:.8f}", f"{noisy:.8f}"])
            # EchoNet-Dynamic writes the small (ES) frame first, and its readers rely on it.
            for frame, tracing in zip((found.es_frame, found.ed_frame), found.tracings[::-1], strict=True):
                for points in tracing:
                    lines.writerow([f"{phantom.name}.avi", *(f"{value:.8g}" for value in points), frame])
            file.create_dataset(phantom.name, data=found.masks, compression="gzip", compression_opts=1)
    written = [("VolumeTracings.csv", tracings), ("FileList.csv", videos)]
    for name, text in ([("true_ef.csv", truth)] if settings.label_noise else []) + written:
        with atomic_path(root / name) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")
    return phantoms
