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
COMMON = 0.02  # share of the picture that a group has at least, to be believed


@dataclass(slots=True, eq=False)
class ColourCount:
    """Where a video was coloured, frame by frame.

    Attributes:
        ever: ``(H, W)`` bool: coloured in some frame.
        always: ``(H, W)`` bool: coloured in every frame.
        moves: ``(H, W)`` bool: coloured, and of changing colour.
    """

    ever: Mask
    always: Mask
    low: npt.NDArray[np.uint8]
    high: npt.NDArray[np.uint8]

    @property
    def moves(self) -> Mask:
        """Coloured in some frame, and not of the same colour in all."""
        return np.asarray(self.ever & ((self.high.astype(np.int16) - self.low).max(axis=-1) >= COLOURED))

    def is_flow(self) -> bool:
        """Whether so much changes its colour that it can only be colour Doppler."""
        solid = cv2.morphologyEx(self.moves.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        return float(solid.mean()) >= FLOW


def count_colour(frames: Iterable[Chroma]) -> ColourCount | None:
    """Find coloured pixels.

    Args:
        frames: ``(H, W, 3)`` uint8 of luma, blue and red chroma each.

    Returns:
        None where there are no frames.
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
    """Pixels ``(H, W)`` whose colour is not the one that most pixels of their grey level have.

    A scanner's sepia or blue map gives each grey level one colour; flow and graphics have others.

    Args:
        frame: ``(H, W, 3)`` of luma, blue and red chroma.
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
    """Luma, blue and red chroma ``(..., 3)`` of RGB, full range, as JPEG has them (ITU-T T.871, BT.601)."""
    values = rgb.astype(np.float32)
    red, green, blue = values[..., 0], values[..., 1], values[..., 2]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = [luma, 128 + (blue - luma) * (0.5 / (1 - 0.114)), 128 + (red - luma) * (0.5 / (1 - 0.299))]
    return np.asarray(np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255), np.uint8)


def box_of(mask: Mask) -> Mask:
    """The upright box around ``mask``, filled; nothing where it is empty."""
    result = np.zeros(mask.shape, np.bool_)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        result[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return result
