"""Finding the end-diastolic and end-systolic frames from the video alone; no labels."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

# Shares of the frame's height and width in which the ventricles lie in an apical four-chamber view.
CENTRE = ((0.15, 0.70), (0.25, 0.80))


@dataclass(frozen=True, slots=True)
class Phase:
    """The beat as seen in the video.

    Attributes:
        volume: a curve ``(T,)`` that rises and falls with the LV's size; no unit.
        ed_frame: index of the end-diastolic frame: the curve's largest value.
        es_frame: index of the end-systolic frame: its smallest value within one beat of the ED frame.
    """

    volume: npt.NDArray[np.float64]
    ed_frame: int
    es_frame: int


def volume_curve(frames: npt.NDArray[np.uint8], fps: float) -> npt.NDArray[np.float64]:
    """A curve that follows the LV's size, from ``(T, H, W)`` uint8 frames.

    The first principal component over time of the blurred frames is the beat; its sign is chosen so that the curve is
    high where the middle of the image is dark, because blood is dark and a full ventricle shows more of it.
    """
    small = np.stack([cv2.resize(frame, (28, 28), interpolation=cv2.INTER_AREA) for frame in frames]).astype(np.float64)
    small = np.sqrt(gaussian_filter1d(small, 0.02 * fps, axis=0))
    rows, columns = (slice(int(28 * low), int(28 * high)) for low, high in CENTRE)
    flat = small[:, rows, columns].reshape(len(small), -1)
    flat = flat - flat.mean(0)
    left, values, _ = np.linalg.svd(flat, full_matrices=False)
    curve = left[:, 0] * values[0]
    darkness = -flat.mean(1)
    return np.asarray(curve if curve @ darkness >= 0 else -curve)


def find_phase(frames: npt.NDArray[np.uint8], fps: float, *, min_beat: float = 0.5, max_beat: float = 1.5) -> Phase:
    """ED and ES frame of a clip ``(T, H, W)`` uint8 at ``fps`` frames per second.

    Args:
        frames: the clip.
        fps: its frame rate.
        min_beat: shortest beat looked for, in seconds (120 beats a minute).
        max_beat: longest beat looked for, in seconds (40 beats a minute).
    """
    curve = volume_curve(frames, fps)
    ed = int(curve.argmax())
    # ES lies after its ED by systole, about a third of a beat; before it only where the clip ends too soon.
    reach = max(1, round(0.6 * fps * (min_beat + max_beat) / 2))
    after = curve[ed : ed + reach]
    if len(after) > round(0.25 * fps):
        es = ed + int(after.argmin())
    else:
        start = max(0, ed - round(fps * min_beat))
        es = start + int(curve[start : ed + 1].argmin())
    return Phase(curve, ed, es)
