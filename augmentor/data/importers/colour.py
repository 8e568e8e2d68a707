"""Colour in an ultrasound picture: Doppler flow, coloured graphics, or merely a tint of all grey levels."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .sector import Mask

Chroma = npt.NDArray[np.uint8]
COLOURED = 24  # chroma levels off the tint: JPEG's own errors are far below
FLOW = 0.004  # share of the picture that changes its colour, from which on it is colour flow and not a marker
LEVELS = 16  # groups of grey levels that each have a tint
COMMON = 0.02  # smallest share of the picture that makes a group's tint believable


@dataclass(slots=True, eq=False)
class ColourCount:
    """Where a video was coloured, frame by frame.

    Attributes:
        ever: pixels coloured in some frame, ``(H, W)`` bool.
        always: pixels coloured in every frame, ``(H, W)`` bool.
        low: smallest blue and red chroma of each pixel, ``(H, W, 2)`` uint8.
        high: largest, likewise.
    """

    ever: Mask
    always: Mask
    low: npt.NDArray[np.uint8]
    high: npt.NDArray[np.uint8]

    @property
    def moves(self) -> Mask:
        """Return the pixels coloured in some frame and not of the same colour in all, ``(H, W)`` bool."""
        return np.asarray(self.ever & ((self.high.astype(np.int16) - self.low).max(axis=-1) >= COLOURED))

    def is_flow(self) -> bool:
        """Return whether so large an area changes its colour that it can only be colour Doppler."""
        solid = cv2.morphologyEx(self.moves.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        return float(solid.mean()) >= FLOW


def count_colour(frames: Iterable[Chroma]) -> ColourCount | None:
    """Find the coloured pixels of a video; None if it has no frames.

    Args:
        frames: luma, blue and red chroma of each frame, ``(H, W, 3)`` uint8.
    """
    found: ColourCount | None = None
    for frame in frames:
        coloured, chroma = off_the_tint(frame), frame[..., 1:]
        if found is None:
            found = ColourCount(coloured, coloured.copy(), chroma.copy(), chroma.copy())
        else:
            found.ever |= coloured
            found.always &= coloured
            np.minimum(found.low, chroma, out=found.low)
            np.maximum(found.high, chroma, out=found.high)
    return found


def off_the_tint(frame: Chroma) -> Mask:
    """Return the pixels ``(H, W)`` whose colour differs from that of most pixels of their grey level.

    A scanner's sepia or blue map gives each grey level one colour; flow and graphics have others.

    Args:
        frame: luma, blue and red chroma, ``(H, W, 3)`` uint8.
    """
    chroma = frame[..., 1:].astype(np.int16)
    if int(np.abs(chroma - 128).max()) < COLOURED:
        return np.zeros(frame.shape[:2], np.bool_)
    level = (frame[..., 0] // (256 // LEVELS)).astype(np.intp)
    counts = np.bincount(level.reshape(-1), minlength=LEVELS)
    usual = np.full((LEVELS, 2), 128, np.int16)
    common = np.flatnonzero(counts >= COMMON * level.size)
    for one in range(LEVELS):
        # A level of few pixels may hold a marker and little else: it takes the tint of the nearest one of many.
        usual[one] = np.median(chroma[level == common[np.abs(common - one).argmin()]], axis=0)
    off = (np.abs(chroma - usual[level]) >= COLOURED).any(axis=-1)
    return np.asarray(off & (np.abs(chroma - 128) >= COLOURED).any(axis=-1))


def to_ycbcr(rgb: npt.NDArray[np.uint8]) -> Chroma:
    """Return luma, blue and red chroma ``(..., 3)`` of RGB, full range, as JPEG has them (ITU-T T.871, BT.601)."""
    values = rgb.astype(np.float32)
    red, green, blue = values[..., 0], values[..., 1], values[..., 2]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = [luma, 128 + (blue - luma) * (0.5 / (1 - 0.114)), 128 + (red - luma) * (0.5 / (1 - 0.299))]
    return np.asarray(np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255), np.uint8)


def box_of(mask: Mask) -> Mask:
    """Return the filled bounding box of ``mask``; nothing if the mask is empty."""
    result = np.zeros(mask.shape, np.bool_)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        result[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return result
