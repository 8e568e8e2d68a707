"""EchoNet's tracing of a ventricle from a mask of it."""

import numpy as np
import numpy.typing as npt

from .errors import EchoAugmentError

CHORDS = 20


def trace_mask(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Long axis and 20 chords of a mask, as EchoNet-Dynamic's ``VolumeTracings.csv`` has them (Ouyang et al., 2020).

    The long axis is the mask's principal axis, from its upper end (the apex in an apical view) to its lower; the chords
    stand on it at right angles at the middles of 20 slices of equal height.

    Args:
        mask: ``(H, W)`` bool.

    Returns:
        ``(21, 4)``: x1, y1, x2, y2 in pixels; the long axis first, then the chords from apex to base.

    Raises:
        EchoAugmentError: a mask of fewer than 20 pixels.
    """
    y, x = np.nonzero(mask)
    if len(x) < CHORDS:
        raise EchoAugmentError(f"a mask of {len(x)} pixels is too small for a tracing")
    points = np.stack([x, y], axis=1).astype(float)
    centre = points.mean(axis=0)
    axis = np.linalg.eigh(np.cov((points - centre).T))[1][:, -1]
    axis = axis if axis[1] >= 0 else -axis  # downwards
    across = np.array([-axis[1], axis[0]])
    along, aside = (points - centre) @ axis, (points - centre) @ across
    low, high = along.min() - 0.5, along.max() + 0.5
    height = (high - low) / CHORDS
    lines = [np.concatenate([centre + low * axis, centre + high * axis])]
    for k in range(CHORDS):
        at = low + (k + 0.5) * height
        near = aside[np.abs(along - at) <= max(height / 2, 0.75)]
        if not len(near):  # a mask in pieces: no chord here
            near = np.zeros(1)
        ends = near.max() + 0.5, near.min() - 0.5
        lines.append(np.concatenate([centre + at * axis + end * across for end in ends]))
    return np.array(lines)
