"""What further scanners write on the picture and leave there: dots along the depth, a grey bar, a focus mark, text."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .appearance import Appearance

Image = npt.NDArray[np.floating[Any]]
NOTHING, DOTS, DOTS_AND_BAR, FOCUS_AND_TEXT = range(4)
FINE = 4  # bits of a pixel's fraction, as OpenCV's drawing takes them


class Pen:
    """Draw on a square picture in pixels of a 112x112 frame.

    Args:
        image_size: height and width in pixels.
    """

    def __init__(self, image_size: int) -> None:
        self._scale = image_size / 112
        self.image = np.zeros((image_size, image_size), np.uint8)

    def _fixed(self, x: float, y: float) -> tuple[int, int]:
        at = ((value + 0.5) * self._scale - 0.5 for value in (x, y))
        first, second = (round(value * (1 << FINE)) for value in at)
        return first, second

    def line(self, start: tuple[float, float], end: tuple[float, float], grey: int) -> None:
        """Draw a line a pixel wide."""
        width = max(1, round(self._scale))
        cv2.line(self.image, self._fixed(*start), self._fixed(*end), grey, width, cv2.LINE_AA, FINE)

    def dot(self, x: float, y: float, grey: int) -> None:
        """Draw a dot, a pixel large."""
        left, top = (round((round(value) + 0.5) * self._scale - 0.5) for value in (x, y))
        size = max(1, round(self._scale)) - 1
        cv2.rectangle(self.image, (left, top), (left + size, top + size), grey, -1)


def draw_overlay(view: Appearance, image_size: int) -> Image:
    """Draw the overlay of ``view``, square float32 grey, 0 where there is none; it never moves.

    Args:
        view: the appearance, whose ``overlay`` says what.
        image_size: height and width in pixels.
    """
    pen = Pen(image_size)
    rng = np.random.default_rng([view.speckle_seed, 15])
    if view.overlay in (DOTS, DOTS_AND_BAR):
        x, step = 108.5, rng.uniform(7, 14)
        for number, y in enumerate(np.arange(view.origin_y + view.near_cut, 110, step)):
            pen.dot(x - (1.5 if number % 5 == 0 else 0), float(y), 200)
    if view.overlay == DOTS_AND_BAR:
        for row in range(24):
            pen.line((2.5, 6.0 + row), (4.5, 6.0 + row), 240 - 9 * row)
    if view.overlay == FOCUS_AND_TEXT:
        depth = view.origin_y + view.depth * rng.uniform(0.4, 0.8)
        for lift in (-1.5, 1.5):
            pen.line((109.5, depth + lift), (107.0, depth), 210)
        x, y = rng.uniform(2, 5), rng.choice([4.0, 108.0])
        for _ in range(int(rng.integers(5, 9))):  # letters too small to read
            pen.line((x, y), (x + rng.uniform(0.2, 1.2), y + rng.uniform(-1.2, 1.2)), int(rng.integers(120, 220)))
            x += 2.4
    return pen.image.astype(np.float32)
