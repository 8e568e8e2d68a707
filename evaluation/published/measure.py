"""Published metrics of sets of videos: each set's features are taken once, and then held against the real ones'."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.augmentor.mcdm.phase import resample_indices
from echo_augment.augmentor.video_format import VideoFormat
from echo_augment.cache import EchoClip
from echo_augment.cache.system.progress import follow

from .networks import Features, Networks
from .scores import InceptionScore, frechet_distance, inception_score

Frames = npt.NDArray[np.uint8]
AT_ONCE = 128  # frames
LENGTHS = {"fvd16": 16, "fvd128": 128}
LEAST = 2  # videos of a length for an FVD


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How videos are brought to one form.

    Attributes:
        fps: frames per second, by the nearest frames.
        size: side of a frame in pixels.
        images: frames of a video for FID, IS and LPIPS, at most.
        seed: of where in a longer video its frames for FVD begin.
    """

    fps: float
    size: int
    images: int
    seed: int

    def bring(self, clip: EchoClip) -> Frames:
        """Return a clip's frames ``(T, H, W)`` in this form."""
        taken = resample_indices(len(clip.frames), clip.fps, self.fps)
        return VideoFormat(size=(self.size, self.size)).resize(np.asarray(clip.frames)[taken])


@dataclass(slots=True)
class Found:
    """Features of a set of videos.

    Attributes:
        videos: how many were looked at.
        fvd: I3D's features of those that are long enough, by metric, ``(N, 400)``.
        images: Inception's features, ``(M, 2048)``.
        classes: its probabilities, ``(M, 1008)``.
        between: mean LPIPS of frames of one video and the one before it.
        paired: LPIPS of each frame to its own in another version of the set; empty without.
    """

    videos: int = 0
    fvd: dict[str, Features] = field(default_factory=dict)
    images: Features | None = None
    classes: Features | None = None
    between: float | None = None
    paired: float | None = None


def look_at(
    videos: Iterable[Frames],
    networks: Networks,
    names: tuple[str, ...],
    form: Form,
    *,
    what: str,
    others: Iterable[Frames] | None = None,
) -> Found:
    """Return the features of a set of videos, which are taken one after the other.

    Args:
        videos: ``(T, H, W)`` each.
        networks: give the features.
        names: of the metrics.
        form: which frames are looked at.
        what: the set, for the progress bar.
        others: the same videos in another version, for LPIPS between the two.
    """
    found, rng = Found(), np.random.default_rng(form.seed)
    waiting: dict[str, list[Frames]] = {name: [] for name in LENGTHS if name in names}
    windows: dict[str, list[Features]] = {name: [] for name in waiting}
    images, classes, between, paired = list[Features](), list[Features](), list[float](), list[float]()
    before: torch.Tensor | None = None
    twins = None if others is None else iter(others)

    def flush(name: str) -> None:
        if networks.i3d is not None and waiting[name]:
            windows[name].append(networks.i3d(torch.from_numpy(np.stack(waiting[name]))))
            waiting[name].clear()

    for frames in follow(videos, what, unit="video"):
        found.videos += 1
        start = rng.random()
        for name, length in LENGTHS.items():
            if name in names and len(frames) >= length:
                at = int(start * (len(frames) - length + 1))
                waiting[name].append(frames[at : at + length])
                if len(waiting[name]) * length >= AT_ONCE:
                    flush(name)
        places = np.unique(np.linspace(0, len(frames) - 1, min(form.images, len(frames))).round().astype(int))
        shown = torch.from_numpy(frames[places])
        if networks.inception is not None:
            for part in shown.split(AT_ONCE // 4):
                one, two = networks.inception(part)
                images.append(one)
                classes.append(two)
        if networks.lpips is not None:
            if before is not None:
                shared = min(len(before), len(shown))
                between.append(distance(networks, before[:shared], shown[:shared]))
            if twins is not None:
                paired.append(distance(networks, shown, torch.from_numpy(next(twins)[places])))
            before = shown
    for name in waiting:
        flush(name)
        if windows[name]:
            found.fvd[name] = np.concatenate(windows[name])
    if images:
        found.images, found.classes = np.concatenate(images), np.concatenate(classes)
    found.between = float(np.mean(between)) if between else None
    found.paired = float(np.mean(paired)) if paired else None
    return found


def distance(networks: Networks, one: torch.Tensor, two: torch.Tensor) -> float:
    """Return the mean LPIPS of gray images ``(N, H, W)`` uint8."""
    assert networks.lpips is not None, "asked for only where it is loaded"
    device = networks.lpips.shift.device
    total = 0.0
    with torch.no_grad():
        for first, second in zip(one.split(AT_ONCE // 4), two.split(AT_ONCE // 4), strict=True):
            pair = ((part[:, None].to(device).float() / 127.5 - 1) for part in (first, second))
            total += float(networks.lpips(*pair).sum())
    return total / len(one)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Published metrics of a set of videos; None for what was not asked for or cannot be had.

    Attributes:
        videos: how many.
        long: how many of them have 128 frames.
        fvd16: to the real set, of 16 consecutive frames a video.
        fvd128: the same of 128.
        fid: of frames, to the real set's.
        inception: the Inception score of frames.
        lpips: mean distance of each frame to the video's own, for a codec's round trip.
        diversity: mean LPIPS between frames of different videos.
    """

    videos: int
    long: int
    fvd16: float | None
    fvd128: float | None
    fid: float | None
    inception: InceptionScore | None
    lpips: float | None
    diversity: float | None


def row_of(found: Found, real: Found, names: tuple[str, ...]) -> Row:
    """Return the metrics of a set of videos against the real one."""
    fvd: dict[str, float | None] = dict.fromkeys(LENGTHS)
    for name in LENGTHS:
        pair = found.fvd.get(name), real.fvd.get(name)
        if pair[0] is not None and pair[1] is not None and min(len(pair[0]), len(pair[1])) >= LEAST:
            fvd[name] = frechet_distance(pair[0], pair[1])
    fid = None
    if found.images is not None and real.images is not None and "fid" in names:
        fid = frechet_distance(found.images, real.images)
    return Row(
        videos=found.videos,
        long=len(found.fvd.get("fvd128", ())),
        fvd16=fvd["fvd16"],
        fvd128=fvd["fvd128"],
        fid=fid,
        inception=inception_score(found.classes) if found.classes is not None and "is" in names else None,
        lpips=found.paired,
        diversity=found.between,
    )


def brought(clips: Iterable[EchoClip], form: Form) -> Iterator[Frames]:
    """Yield clips in one form, as long as they have 16 frames of it."""
    for clip in clips:
        frames = form.bring(clip)
        if len(frames) >= LENGTHS["fvd16"]:
            yield frames
