"""The scanner's sector: its polar grid, the way to the frame's pixels, and the marks around it."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .appearance import Appearance

Image = npt.NDArray[np.floating[Any]]
ROWS, BEAMS = 136, 112


@dataclass(frozen=True, slots=True, eq=False)
class Sector:
    """Grids of one sector, made once a clip.

    Attributes:
        x: ``(ROWS, BEAMS)`` x of each sample, pixels of a 112x112 frame.
        y: ``(ROWS, BEAMS)`` y of each sample.
        share: ``(ROWS, 1)`` depth of each row, 0 tip to 1 full depth.
        bearing: ``(1, BEAMS)`` angle of each beam relative to the half-angle, -1 to 1.
        to_beam: ``(image_size, image_size)`` beam index of each pixel.
        to_row: ``(image_size, image_size)`` row index of each pixel.
        window: ``(image_size, image_size)`` 1 inside the sector, 0 outside.
        row_step: pixels per row.
        beam_step: radians per beam.
    """

    x: Image
    y: Image
    share: Image
    bearing: Image
    to_beam: Image
    to_row: Image
    window: Image
    row_step: float
    beam_step: float


def make_sector(view: Appearance, image_size: int) -> Sector:
    """Return the grids for frames of ``image_size`` x ``image_size`` pixels."""
    radius = np.linspace(view.near_cut, view.depth, ROWS, dtype=np.float32)[:, None]
    angle = np.linspace(-view.half_angle, view.half_angle, BEAMS, dtype=np.float32)[None]
    pixel = (np.arange(image_size, dtype=np.float32) + 0.5) * (112 / image_size) - 0.5
    dx, dy = pixel[None] - view.origin_x, pixel[:, None] - view.origin_y
    distance, bearing = np.hypot(dx, dy), np.arctan2(dx, dy)
    row_step, beam_step = (view.depth - view.near_cut) / (ROWS - 1), 2 * view.half_angle / (BEAMS - 1)
    seen = (distance >= view.near_cut) & (distance <= view.depth) & (np.abs(bearing) <= view.half_angle)
    return Sector(
        x=(view.origin_x + radius * np.sin(angle)).astype(np.float32),
        y=(view.origin_y + radius * np.cos(angle)).astype(np.float32),
        share=radius / np.float32(view.depth),
        bearing=angle / np.float32(view.half_angle),
        to_beam=((bearing + view.half_angle) / beam_step).astype(np.float32),
        to_row=((distance - view.near_cut) / row_step).astype(np.float32),
        window=seen.astype(np.float32),
        row_step=row_step,
        beam_step=beam_step,
    )


def draw_marks(view: Appearance, image_size: int) -> Image:
    """Draw what the scanner writes outside the sector, as square float32 grey: scale bar, dots, the mark on top."""
    scale = image_size / 112
    image = np.zeros((image_size, image_size), np.uint8)
    shift = 4

    def fixed(x: float, y: float) -> tuple[int, int]:
        to_pixel = ((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5)
        return round(to_pixel[0] * (1 << shift)), round(to_pixel[1] * (1 << shift))

    def line(start: tuple[float, float], end: tuple[float, float], grey: int) -> None:
        cv2.line(image, fixed(*start), fixed(*end), grey, max(1, round(scale)), cv2.LINE_AA, shift)

    if view.scale_bar:
        ux, uy = np.sin(view.half_angle), np.cos(view.half_angle)
        nx, ny = uy, -ux  # away from the sector
        begin, span = view.scale_position * view.depth, (0.0, 22.0, 12.0, 26.0)[view.scale_bar]
        off = (0.0, 3.5, 3.0, 5.0)[view.scale_bar]
        x0, y0 = view.origin_x + ux * begin + nx * off, view.origin_y + uy * begin + ny * off
        x1, y1 = x0 + ux * span, y0 + uy * span
        line((x0, y0), (x1, y1), 235)
        cap = 1.6 if view.scale_bar < 3 else 1.0
        for x, y in ((x0, y0), (x1, y1)):
            line((x - nx * cap, y - ny * cap), (x + nx * cap, y + ny * cap), 220)
        if view.scale_bar == 3:
            for step in np.linspace(0.15, 0.85, 5):
                x, y = x0 + ux * span * step, y0 + uy * span * step
                line((x - nx, y - ny), (x + nx, y + ny), 200)
        for step in (-5.0, span + 4):
            x, y = x0 + ux * step, y0 + uy * step
            line((x, y), (x + 0.5, y), 220)
    if view.marker:
        x, y = view.origin_x + 5.5, max(1.5, view.origin_y - 3.5)
        for dx, dy, part in ((-0.7, -1.2, 0.7), (-1.2, 0.0, 0.9), (-0.6, 1.0, 0.8), (0.3, 1.6, 0.45)):
            line((x + dx, y + dy), (x + dx + 1.6, y + dy), int(view.marker * part))
    return image.astype(np.float32)
