"""LV volume by the method of discs from masks in one apical view or two."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.export import trace_mask

Mask = npt.NDArray[np.bool_]
LENGTHS_AGREE = 0.2  # two views whose long axes differ by more are foreshortened


@dataclass(frozen=True, slots=True, eq=False)
class Discs:
    """A ventricle cut into 20 discs of equal height.

    Attributes:
        length: long axis, mm.
        diameters: ``(20,)`` mm, from apex to base.
    """

    length: float
    diameters: npt.NDArray[np.float64]


def measure(mask: Mask, spacing: tuple[float, float]) -> Discs | None:
    """Cut a mask into discs; return None if it has fewer than 20 pixels.

    Args:
        mask: ``(H, W)`` bool.
        spacing: ``(dy, dx)``, the size of a pixel in mm.
    """
    dy, dx = spacing
    fine = min(dy, dx)
    height, width = (max(1, round(side * step / fine)) for side, step in zip(mask.shape, spacing, strict=True))
    square = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    try:
        lines = trace_mask(square) * fine
    except EchoAugmentError:
        return None
    lengths = np.hypot(lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1])
    return Discs(float(lengths[0]), lengths[1:])


def volume(first: Discs, second: Discs | None = None) -> float:
    """Return the volume in mL; with two views, the discs are ellipses and the longer axis counts.

    Lang et al., "Recommendations for cardiac chamber quantification by echocardiography in adults" (2015): biplane
    method of disks summation, pi / 4 * sum of a b L / 20.

    >>> import numpy as np
    >>> round(volume(Discs(80.0, np.full(20, 40.0))), 1)
    100.5
    """
    other = second or first
    length = max(first.length, other.length)
    return float(math.pi / 4 * (first.diameters * other.diameters).sum() * length / len(first.diameters) / 1000)


def ejection_fraction(edv: float, esv: float) -> float:
    """Return the EF in percent; NaN unless ``edv`` is above 0."""
    return 100 * (edv - esv) / edv if edv > 0 else math.nan
