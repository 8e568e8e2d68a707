"""A heart as the generator sees it: frames at its rate, with the end-diastolic frame found from the video itself."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoAugmentError

from .phase import find_phase

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Heart:
    """One video, resampled to twice the generator's rate.

    Attributes:
        name: of the video.
        frames: ``(T, size, size)`` uint8 at twice the generator's rate.
        ed: index of the ED frame in ``frames``.
        es: index of the ES frame in ``frames``.
    """

    name: str
    frames: Frames
    ed: int
    es: int

    @property
    def grid(self) -> npt.NDArray[np.intp]:
        """Indices into ``frames`` at the generator's own rate, passing through the ED frame."""
        return np.arange(self.ed % 2, len(self.frames), 2)

    @property
    def reference(self) -> Frames:
        """The ED frame ``(size, size)``."""
        return np.asarray(self.frames[self.ed])


def resample_indices(count: int, fps: float, rate: float) -> npt.NDArray[np.intp]:
    """Indices of the frames nearest to the instants ``0, 1/rate, 2/rate, ...`` of a video of ``count`` frames."""
    wanted = int(np.floor((count - 1) / fps * rate + 1e-6)) + 1
    return np.minimum(np.round(np.arange(wanted) / rate * fps).astype(np.intp), count - 1)


def make_heart(name: str, frames: Frames, fps: float, *, rate: float, size: int) -> Heart:
    """Resample a decoded video ``(T, H, W)`` uint8 to ``2 * rate`` frames a second and ``size`` pixels, and find ED
    and ES.

    Raises:
        EchoAugmentError: fewer than two frames at that rate, or a frame rate that is not positive.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise EchoAugmentError(
            f"video {name!r}: frame rate {fps} is not positive", "Mend the file or FPS in FileList.csv"
        )
    taken = frames[resample_indices(len(frames), fps, 2 * rate)]
    if len(taken) < 4:
        raise EchoAugmentError(f"video {name!r}: {len(frames)} frames at {fps:g} fps are too few to find a beat")
    if taken.shape[1:] != (size, size):
        taken = np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in taken])
    phase = find_phase(taken, 2 * rate)
    return Heart(name, np.ascontiguousarray(taken), phase.ed_frame, phase.es_frame)
