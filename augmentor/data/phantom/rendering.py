"""Render a motion and an appearance as a clip with its masks, tracings, volumes and EF."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache.arguments import check_number, check_seed, check_whole

from .appearance import Appearance
from .drawing import draw_frames
from .geometry import contours, lv_volumes, pose_at, traces
from .motion import Motion
from .rhythm import labelled_frames

Array = npt.NDArray[np.float64]
MOST_FPS, LATEST_START = 1e4, 1e4


@dataclass(frozen=True, slots=True, eq=False)
class PhantomClip:
    """A rendered clip with its exact labels.

    Attributes:
        frames: ``(T, H, W)`` uint8.
        masks: ``(T, H, W)`` bool, the LV cavity as drawn.
        fps: frames per second.
        ef: ejection fraction in percent, from the ED and ES contours by method of discs.
        edv: end-diastolic volume, mL.
        esv: end-systolic volume, mL.
        ed_frame: ED frame of the labelled beat (the first whose ED and ES both lie in the clip) or, in a clip too
            short for that, the frame of the largest volume. At a low fps no frame shows the exact ED or ES, so the EF
            drawn is a little below the heart's (about 1 point at 12.5 fps).
        es_frame: ES frame of the labelled beat, or the frame of the smallest volume.
        volumes: ``(T,)`` LV volume, mL.
        tracings: ``(T, 21, 4)`` x1, y1, x2, y2 in pixels, the long axis first.
    """

    frames: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.bool_]
    fps: float
    ef: float
    edv: float
    esv: float
    ed_frame: int
    es_frame: int
    volumes: Array
    tracings: Array

    def tracing(self, frame: int) -> Array:
        """Return EchoNet's tracing of a frame, ``(21, 4)``: the long axis from the apex, then 20 chords to the base."""
        return np.asarray(self.tracings[frame])


@dataclass(frozen=True, slots=True, eq=False)
class VolumeCurve:
    """Labels of a clip without its pixels, as `volume_curve` gives them; fields as in `PhantomClip`."""

    times: Array
    volumes: Array
    ef: float
    edv: float
    esv: float
    ed_frame: int
    es_frame: int


def frame_times(num_frames: int, fps: float, start: float) -> Array:
    """Return the time of each frame in seconds, ``(T,)``, or raise EchoAugmentError if a value is out of range."""
    check_whole("num_frames", num_frames, 1)
    check_number("fps", fps, 0, MOST_FPS, above_low=True)
    check_number("start", start, 0, LATEST_START, unit="seconds")
    return np.asarray(start + np.arange(num_frames) / fps, np.float64)


def volume_curve(
    motion: Motion, appearance: Appearance, *, num_frames: int = 100, fps: float = 50.0, start: float = 0.0
) -> VolumeCurve:
    """Return the labels that `render` gives with the same arguments, in some milliseconds and without pixels.

    Raises:
        EchoAugmentError: an argument is out of range.
    """
    times = frame_times(num_frames, fps, start)
    return labelled(motion, times, lv_volumes(motion, appearance, times))


def labelled(motion: Motion, times: Array, volumes: Array) -> VolumeCurve:
    """Return the labels of a clip whose LV has those volumes ``(T,)`` in mL at ``times`` ``(T,)`` in seconds."""
    ed, es = labelled_frames(motion, times, volumes)
    edv, esv = float(volumes[ed]), float(volumes[es])
    return VolumeCurve(times, volumes, max(0.0, 100 * (edv - esv) / edv), edv, esv, ed, es)


def render(
    motion: Motion,
    appearance: Appearance,
    *,
    num_frames: int = 100,
    fps: float = 50.0,
    seed: int = 0,
    image_size: int = 112,
    start: float = 0.0,
) -> PhantomClip:
    """Render a heart as a clip with masks and labels; a pure function of the arguments.

    >>> from echo_augment.augmentor.data.phantom import sample_phantom
    >>> heart = sample_phantom(7)
    >>> clip = render(heart.motion, heart.appearance, num_frames=80)
    >>> clip.frames.shape, clip.masks.shape, clip.tracing(clip.ed_frame).shape
    ((80, 112, 112), (80, 112, 112), (21, 4))
    >>> round(clip.ef), clip.ed_frame < clip.es_frame
    (27, True)

    Args:
        motion: motion of the heart.
        appearance: anatomy, view and scanner.
        num_frames: frames to render, 1 or more.
        fps: frames per second, above 0.
        seed: seed of scatterers and noise; 0 keeps the speckle of the heart itself.
        image_size: height and width in pixels, 16 to 1024.
        start: time of the first frame, in seconds of the motion.

    Raises:
        EchoAugmentError: an argument is out of range.
    """
    check_whole("image_size", image_size, 16, 1024)
    check_seed(seed)
    curve = volume_curve(motion, appearance, num_frames=num_frames, fps=fps, start=start)
    pose = pose_at(motion, appearance, curve.times)
    masks = np.stack([draw_mask(border, image_size) for border in contours(motion, appearance, pose)])
    with one_thread():
        shown = draw_frames(motion, appearance, pose, curve.times, seed, image_size)
    return PhantomClip(
        frames=shown,
        masks=masks,
        fps=float(fps),
        ef=curve.ef,
        edv=curve.edv,
        esv=curve.esv,
        ed_frame=curve.ed_frame,
        es_frame=curve.es_frame,
        volumes=curve.volumes,
        tracings=traces(motion, appearance, pose) * (image_size / 112),
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: on small images threads only wait for each other. The pixels are the same."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def draw_mask(points: Array, image_size: int) -> npt.NDArray[np.bool_]:
    """Fill a closed border (``(N, 2)`` pixels of a 112x112 frame) as a square bool mask."""
    image = np.zeros((image_size, image_size), np.uint8)
    fixed = np.round(((points + 0.5) * (image_size / 112) - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(image, [fixed], 1, shift=4)
    return image.astype(bool)
