"""The frame rate of a file that states several and contradicts itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .records import Left

LEAST, MOST = 2.0, 400.0  # plausible frames per second of an echocardiogram
AGREE = 0.05  # relative difference up to which two statements agree
UNEVEN = 1.5  # ratio of longest to shortest time between frames from which a note is made


@dataclass(frozen=True, slots=True)
class FrameRate:
    """A frame rate and what contradicts it.

    Attributes:
        fps: frames per second.
        notes: statements that disagree; uneven times.
    """

    fps: float
    notes: tuple[str, ...] = ()


def choose_rate(stated: Mapping[str, float], *, wanted: float | None = None) -> FrameRate:
    """Return the first plausible frame rate, with a note if others disagree.

    Args:
        stated: name of the statement -> frames per second, the most trusted first.
        wanted: frames per second that the user gave; decides if not None.

    Raises:
        Left: none is plausible.

    >>> choose_rate({"FrameTime": 50.0, "CineRate": 30.0})
    FrameRate(fps=50.0, notes=('FrameTime says 50 frames a second, CineRate 30; fps= decides',))
    """
    usable = {name: value for name, value in stated.items() if math.isfinite(value) and LEAST <= value <= MOST}
    if wanted is not None:
        first, fps = "fps", wanted
    elif usable:
        first, fps = next(iter(usable.items()))
    else:
        raise Left("no plausible frame rate is stated", "fps", "Give fps=NUMBER")
    others = [f"{name} {value:.4g}" for name, value in usable.items() if abs(value - fps) > AGREE * fps]
    if not others:
        return FrameRate(fps)
    decides = "" if wanted is not None else "; fps= decides"
    return FrameRate(fps, (f"{first} says {fps:.4g} frames a second, {', '.join(others)}{decides}",))


def from_times(milliseconds: Sequence[float], num_frames: int) -> tuple[float, tuple[str, ...]]:
    """Return the frames per second of a ``FrameTimeVector``, and a note if its steps are uneven.

    Args:
        milliseconds: time of each frame after the one before; the first is 0 by the standard.
        num_frames: frames of the video; a vector of another length gives NaN and a note.
    """
    steps = np.asarray(milliseconds, np.float64)[1:]
    if len(steps) != num_frames - 1 or not len(steps) or not np.isfinite(steps).all() or steps.min() <= 0:
        return math.nan, ("FrameTimeVector is not that of these frames",)
    notes: tuple[str, ...] = ()
    if steps.max() > UNEVEN * steps.min():
        notes = (f"times between frames are uneven: {steps.min():.4g} to {steps.max():.4g} ms",)
    return 1000 / float(steps.mean()), notes
