"""A picture to look at: frames with the predicted and the traced contour."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.mcdm.masks import Masks

from ..common.contact_sheet import Tile, draw_sheet, in_rows, png, write_picture

Frames = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
TRACED, PREDICTED = (80, 220, 80), (255, 90, 70)  # RGB: green and red
SCALE, COLUMNS = 3, 4


def draw_contours(frame: Frames, masks: Sequence[tuple[Masks, Colour]]) -> Frames:
    """Return ``frame`` ``(H, W)`` three times as large with the outlines of masks, ``(3 H, 3 W, 3)`` RGB.

    Args:
        frame: grey levels.
        masks: ``(H, W)`` each, with the colour of its outline; later ones are drawn over earlier ones.
    """
    size = (frame.shape[1] * SCALE, frame.shape[0] * SCALE)
    large = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
    for mask, colour in masks:
        enlarged = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(large, outlines, -1, colour, 1, cv2.LINE_AA)
    return np.asarray(large, np.uint8)


@dataclass(frozen=True, slots=True)
class Overlay:
    """A video's ED and ES frame with both masks.

    Attributes:
        name: of the video.
        frames: ED and ES, ``(2, H, W)`` uint8.
        predicted: masks ``(2, H, W)``.
        traced: masks ``(2, H, W)``.
        dice: of the two at ED and at ES.
    """

    name: str
    frames: Frames
    predicted: Masks
    traced: Masks
    dice: tuple[float, float]


def write_overlay(path: Path, overlays: Sequence[Overlay]) -> None:
    """Write a PNG: each video at ED and ES, the traced contour in green, the predicted one in red."""
    tiles = []
    for one in overlays:
        for k, phase in enumerate(("ED", "ES")):
            picture = draw_contours(one.frames[k], [(one.traced[k], TRACED), (one.predicted[k], PREDICTED)])
            tiles.append(Tile(f"{one.name} {phase}  Dice {one.dice[k]:.3f}", picture[None]))
    write_picture(path, png(draw_sheet(in_rows(tiles, COLUMNS))))
