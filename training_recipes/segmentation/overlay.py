"""A picture to look at: frames with the predicted and the traced contour."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.mcdm.masks import Masks
from echo_augment.cache.system.files import atomic_path

Frame = npt.NDArray[np.uint8]
TRACED, PREDICTED = (80, 220, 80), (70, 90, 255)  # blue, green, red: green and red
SCALE, BAND = 3, 18


def draw_contours(frame: Frame, masks: Sequence[tuple[Masks, tuple[int, int, int]]], title: str) -> Frame:
    """``frame`` ``(H, W)`` three times as large, ``(3 H + 18, 3 W, 3)`` in OpenCV's order, under a line of text.

    Args:
        frame: grey.
        masks: ``(H, W)`` each, with the colour of its outline; later ones are drawn over earlier ones.
        title: the line of text.
    """
    size = (frame.shape[1] * SCALE, frame.shape[0] * SCALE)
    large = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR)
    for mask, tint in masks:
        enlarged = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(large, outlines, -1, tint, 1, cv2.LINE_AA)
    head = np.full((BAND, size[0], 3), 40, np.uint8)
    cv2.putText(head, title, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (230, 230, 230), 1, cv2.LINE_AA)
    return np.vstack([head, large])


def write_overlay(
    path: Path, rows: Sequence[tuple[str, npt.NDArray[np.uint8], Masks, Masks, Sequence[float]]], columns: int = 2
) -> None:
    """Write a PNG: each heart at ED and ES, the traced contour in green, the predicted one in red.

    Args:
        path: of the picture.
        rows: for each heart its name, frames ``(2, H, W)``, predicted and traced masks ``(2, H, W)``, and Dice at ED
            and ES.
        columns: hearts side by side.
    """
    tiles = []
    for name, frames, predicted, traced, overlap in rows:
        pair = [
            draw_contours(
                frames[k],
                [(traced[k], TRACED), (predicted[k], PREDICTED)],
                f"{name} {('ED', 'ES')[k]}  Dice {overlap[k]:.3f}",
            )
            for k in (0, 1)
        ]
        tiles.append(np.hstack(pair))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    sheet = np.vstack([np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)])
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
