"""The heart at end-diastole as a plate of scatterers: what the moving heart carries with it."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .appearance import Appearance
from .geometry import profile

Image = npt.NDArray[np.float32]
TEXELS = 1.6  # per pixel of a 112x112 frame
LEFT, ABOVE, WIDTH, HEIGHT = 95, 30, 190, 155  # the plate's margins and size in heart coordinates, pixels


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """Scatterers in ED heart coordinates (across, down from the apex), ``TEXELS`` per pixel.

    Attributes:
        scatterers: ``(H, W, 2)`` float32 real and imaginary amplitude.
        level: ``(H, W)`` float32 amplitude of the tissue, before the scatterers.
    """

    scatterers: Image
    level: Image


def lumps(rng: np.random.Generator, shape: tuple[int, int], size: float) -> Image:
    """Smooth random field ``shape`` with unit variance and lumps of about ``size`` cells."""
    small = (max(3, round(shape[0] / size)), max(3, round(shape[1] / size)))
    field = cv2.resize(rng.standard_normal(small).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (field - field.mean()) / (field.std() + 1e-6)


def inside(x: Image, edge: float = 1.0) -> Image:
    """Soft step: 0 at ``x <= -edge / 2``, 1 at ``x >= edge / 2`` (pixels)."""
    return np.clip(x / edge + 0.5, 0, 1)


def ridge(distance: Image, width: float) -> Image:
    """Soft line of a half-width around ``distance`` 0."""
    return np.exp(-0.5 * (distance / width) ** 2)


def ellipse(across: Image, along: Image, x: float, y: float, half_width: float, half_length: float) -> Image:
    """About the distance in pixels inside (positive) the border of an ellipse."""
    radius = np.sqrt(((across - x) / half_width) ** 2 + ((along - y) / half_length) ** 2)
    return (1 - radius) * min(half_width, half_length)


def anatomy(look: Appearance, rng: np.random.Generator) -> Image:
    """Level in dB of every texel of the plate, ``(H, W)`` float32."""
    rows, columns = round(HEIGHT * TEXELS), round(WIDTH * TEXELS)
    along, across = np.meshgrid(
        np.arange(rows, dtype=np.float32) / TEXELS - ABOVE,
        np.arange(columns, dtype=np.float32) / TEXELS - LEFT,
        indexing="ij",
    )
    wobble = lumps(rng, along.shape, 22)
    length, width = look.ed_length, look.lv_width
    wall = np.where(across < 0, look.septum_wall, look.lateral_wall).astype(np.float32)
    endo = (width * profile(look, along / length)).astype(np.float32)
    outer = ((along + look.apex_wall) / (length + look.apex_wall)).astype(np.float32)
    epi = (np.where(outer > 0, (width + wall) * profile(look, outer), -5)).astype(np.float32)
    reach = np.abs(across)

    level = np.full(along.shape, look.outside_db, np.float32)
    level += 4 * lumps(rng, along.shape, 14)

    def paint(weight: Image, value: Image | float) -> None:
        level[...] = level * (1 - weight) + weight * value

    base = width * look.lv_base
    # Right side of the heart: cavity behind the septum, thin free wall.
    climb = np.clip((along - look.rv_start * length) / (length * (1 - look.rv_start)), 0, 1)
    rv_outer = epi + 2 * width * look.rv_width * climb**0.6 * (1 - 0.25 * climb**3)
    left, above_base = across < 0, inside(length + 1 - along, 2)
    paint(inside(rv_outer + 3 - reach + wobble, 2) * left * (climb > 0) * above_base, look.rv_db)
    paint(inside(rv_outer - reach + wobble) * left * (climb > 0) * above_base, look.blood_db)
    # Atria.
    la_half, ra_half = width * look.la_width, width * look.ra_width
    la_long, ra_long = length * look.la_length / 2, length * look.ra_length / 2
    la = ellipse(across, along, 0.1 * width, length + la_long * 0.9, la_half, la_long) + 0.7 * wobble
    ra_x = -(base + look.septum_wall * 0.8 + ra_half)
    ra = ellipse(across, along, ra_x, length + ra_long * 0.85, ra_half, ra_long) + 0.7 * wobble
    for cavity in (la, ra):
        paint(inside(cavity + 2.2, 1.5), look.atrial_db)
    for cavity in (la, ra):
        paint(inside(cavity, 1.5), look.blood_db)
    # Left ventricle.
    muscle = inside(epi - reach + 0.4 * wobble) * inside(length + 1.5 - along, 2)
    fade = np.clip(along / length, 0, 1)
    paint(muscle, np.where(left, look.septum_db - 5 * (1 - fade), look.lateral_db - 2 * (1 - fade)).astype(np.float32))
    bright_side = ridge(reach - endo, 1.0) * (along > 0) * (along < length) * left
    level += 3 * bright_side
    # Fibrous places: crux and atrial septum, lateral groove, pericardium behind the lateral wall, back of the atria.
    wall_l, wall_s = look.lateral_wall, look.septum_wall
    crux = ellipse(across, along, -(base + 0.6 * wall_s), length + 2, 0.75 * wall_s, 1.3 * wall_s) + 0.6 * wobble
    paint(inside(crux, 2), look.annulus_db)
    stem = ridge(across + base + 0.55 * wall_s - 0.12 * (along - length), 1.5) * inside(along - length, 3)
    paint(stem * np.exp(-np.clip(along - length, 0, None) / (0.45 * length)), look.annulus_db - 3)
    groove = ellipse(across, along, base + wall_l * 1.2, length + 4, wall_l * 1.1, wall_l * 1.9) + wobble
    paint(inside(groove, 3), look.annulus_db)
    behind = ridge(across - epi - 1.5, 1.6) * inside(along - 0.3 * length, 8) * inside(1.15 * length - along, 8)
    paint(behind * 0.85, look.pericardium_db)
    back = ridge(along - length - 2 * la_long * 0.92 - 0.12 * across + wobble, 2.2)
    paint(back * 0.8, look.pericardium_db - 3)
    # Cavity last: nothing fixed lies over the blood, but trabeculae and papillary muscle.
    cavity = inside(endo - reach, 1.2) * inside(along) * inside(length - along)
    paint(cavity, look.blood_db)
    spots = ridge(across - 0.55 * endo, 2.0) * ridge(along - 0.5 * length, 0.16 * length)
    paint(spots * cavity * inside(lumps(rng, along.shape, 5), 1.5), look.papillary_db)
    return cv2.GaussianBlur(level, (0, 0), 0.5 * TEXELS)


def make_plate(look: Appearance, seed: int) -> Plate:
    """The scatterers of ``look``; a pure function of it and ``seed``."""
    rng = np.random.default_rng([look.speckle_seed, seed, 3])
    level = anatomy(look, np.random.default_rng([look.speckle_seed, 5]))
    level = level + look.patchiness_db * lumps(rng, level.shape, 9)
    amplitude = np.power(10, level / 20, dtype=np.float32)
    noise = rng.standard_normal((*level.shape, 2), dtype=np.float32)
    return Plate(amplitude[..., None] * noise, amplitude)
