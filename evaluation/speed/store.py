"""Table ``store``: a cached sample against the video file and against a plain array, and a packed real clip."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor import CachedClips, VideoFormat
from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.mixing import item_rng
from echo_augment.cache import EchoAugmentError

from .material import CLIP, FPS, LENGTH, MEAN, PERIOD, SAMPLE, STD, Material
from .peer import PEER, decode_as_published, peer_dataset
from .rows import Row, Table, against
from .settings import StoreSettings
from .timing import Contender, Seconds, interleave, ratio

Video = npt.NDArray[np.float32]
SPAN = (LENGTH - 1) * PERIOD + 1  # frames from the first to the last of a sample
AVI_TIMES, FLOOR_TIMES, PACKED_TIMES = 40.0, 1.6, 30.0
COLOUR = 3.0  # grey levels that OpenCV's red and blue may differ from luma on EchoNet's own files
HOW = (
    f"One training sample, float32 3x{LENGTH}x112x112, in one process. Cached: CachedClips[i] with its checksum, then "
    f"VideoFormat: {LENGTH} of its {CLIP} frames, normalised. AVI: the whole file is decoded, as echonet does (by "
    f"{PEER}). Floor: the same frames out of a memory-mapped array, normalised by NumPy. Quick ones go many times in "
    "a row, for about as long as the slowest takes."
)


def store_table(material: Material, settings: StoreSettings) -> Table:
    """Time all ways to the same sample.

    Args:
        material: the videos in all forms.
        settings: of the table.
    """
    names, cached, form = material.names, CachedClips(material.cache), VideoFormat(fps=FPS, **SAMPLE)
    places = [cached.store.ids.find(name) for name in names]
    stack = np.load(material.stack, mmap_mode="r")
    check_same(names[0], form, cached, stack, material)

    def pick(turn: int) -> int:
        return turn % len(names)

    contenders: dict[str, Contender] = {
        "cached": lambda turn: form(cached[places[pick(turn)]], item_rng(0, 0, turn)),
        "read": lambda turn: cached[places[pick(turn)]].frames,
        "floor": lambda turn: normalised(stack[pick(turn)], turn % (CLIP - SPAN + 1)),
        "whole": items(peer_dataset(material.root, **SAMPLE), names),
        "short": items(
            peer_dataset(material.root, "external_test", external_test_location=str(material.short), **SAMPLE), names
        ),
        "ours": items(EchoNetDynamic(material.root, "train", "EF", **SAMPLE), names),
        "packed": items(EchoNetDynamic(material.root, "train", "EF", store=material.packed, **SAMPLE), names),
    }
    times = interleave(contenders, settings.rounds, what="store", warmup=2, most=32)
    frames = f"{np.median(material.frames):.0f}"
    return Table(name="store", title="reading one training sample", how=HOW, rows=rows_of(times, frames))


def rows_of(times: Mapping[str, Seconds], frames: str) -> list[Row]:
    """Return the ratios of the table from the seconds of every contender."""

    def row(slow: str, fast: str, what: str, target: float | None = None, *, at_least: bool = True) -> Row:
        one, other = times[slow], times[fast]
        return Row(what=what, found=ratio(one, other), target=target, at_least=at_least, detail=against(one, other))

    packed = f"packed real clip, times faster than the whole AVI of {frames} frames"
    return [
        row("whole", "cached", f"cached sample, times faster than the whole AVI of {frames} frames", AVI_TIMES),
        row("short", "cached", f"cached sample, times faster than an AVI of the same {CLIP} frames", AVI_TIMES),
        row("cached", "floor", "cached sample, times the floor", FLOOR_TIMES, at_least=False),
        row("read", "floor", f"reading a whole cached clip of {CLIP} frames, times the floor"),
        row("ours", "cached", "cached sample, times faster than EchoNetDynamic on the whole AVI"),
        row("whole", "ours", "EchoNetDynamic on the whole AVI, times faster than the peer"),
        row("whole", "packed", packed, PACKED_TIMES),
    ]


def normalised(clip: npt.NDArray[np.uint8], start: int) -> Video:
    """Return the floor: a sample of ``(T, H, W)`` frames in plain NumPy, with the operations that ``echonet`` uses."""
    frames = clip[start : start + SPAN : PERIOD]
    video = np.empty((3, *frames.shape), np.float32)
    video[:] = frames
    video -= MEAN
    video /= STD
    return video


def items(data: Any, names: Sequence[str]) -> Callable[[int], Any]:
    """Return a contender that reads the videos ``names`` of a dataset in turn."""
    stems = {str(name).rsplit(".", 1)[0]: place for place, name in enumerate(data.fnames)}
    places = [stems[name] for name in names if name in stems]
    if not places:
        raise EchoAugmentError(
            f"the echonet package reads none of the {len(names)} videos that are measured",
            "It leaves out videos without tracings: take a data set whose VolumeTracings.csv has them",
        )
    return lambda turn: data[places[turn % len(places)]]


def check_same(
    name: str, form: VideoFormat, cached: CachedClips, stack: npt.NDArray[np.uint8], material: Material
) -> None:
    """Check that cache, array and video give the same sample, so that their times compare.

    Raises:
        EchoAugmentError: they differ by more than the colour planes of EchoNet's files do.
    """
    clip = cached[cached.store.ids.find(name)]
    rng = np.random.default_rng(0)
    window = form.window(clip, rng)
    start = int(window.times[0, 0])
    ours = form.video(clip, window)
    path = next(row.path for row in EchoNetDynamic(material.root, "train", "EF").rows if row.name == name)
    theirs = (decode_as_published(path)[:, start : start + SPAN : PERIOD].astype(np.float32) - MEAN) / STD
    for other in (theirs, normalised(stack[material.names.index(name)], start)):
        apart = float(np.abs(ours - other).max()) * STD if ours.shape == other.shape else float("inf")
        if apart > COLOUR:
            raise EchoAugmentError(f"{path}: the cached clip and the video differ by {apart:.1f} grey levels")
