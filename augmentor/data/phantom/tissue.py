"""The heart at end-diastole as a plate of scatterers: which the moving heart carries with it."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .appearance import Appearance
from .geometry import profile

Image = npt.NDArray[np.floating[Any]]
BESIDE_DB = 6.0  # how much brighter or darker tissue is in the next slice, standard deviation
TEXELS = 1.6  # per pixel of a 112x112 frame
LEFT, ABOVE, WIDTH, HEIGHT = 95, 30, 190, 155  # the plate's margins and size in heart coordinates, pixels


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """Scatterers in ED heart coordinates (across, down from the apex), ``TEXELS`` per pixel.

    Attributes:
        scatterers: ``(H, W, 4)`` float32 real and imaginary amplitude of two pictures, which the scanner compounds.
        level: ``(H, W)`` float32 amplitude of the tissue, before the scatterers.
    """

    scatterers: Image
    level: Image


def lumps(rng: np.random.Generator, shape: tuple[int, int], size: tuple[float, float]) -> Image:
    """Draw a smooth random field of ``shape`` with unit variance and lumps of about ``size`` (rows, columns) cells."""
    small = (max(3, round(shape[0] / size[0])), max(3, round(shape[1] / size[1])))
    field = cv2.resize(rng.standard_normal(small).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray((field - field.mean()) / (field.std() + 1e-6))


def inside(x: Image, edge: float = 1.0) -> Image:
    """Step softly: 0 at ``x <= -edge / 2``, 1 at ``x >= edge / 2`` (pixels)."""
    return np.asarray(np.clip(x / edge + 0.5, 0, 1))


def ridge(distance: Image, width: float | Image) -> Image:
    """Draw a soft line of a half-width around ``distance`` 0 (pixels)."""
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2))


def ellipse(across: Image, along: Image, x: float, y: float, half_width: float, half_length: float) -> Image:
    """Return about how many pixels each place lies inside (positive) the border of an ellipse."""
    radius = np.sqrt(((across - x) / half_width) ** 2 + ((along - y) / half_length) ** 2)
    return (1 - radius) * min(half_width, half_length)


def anatomy(view: Appearance, rng: np.random.Generator) -> Image:
    """Return the level in dB of every texel of the plate, ``(H, W)`` float32."""
    rows, columns = round(HEIGHT * TEXELS), round(WIDTH * TEXELS)
    along, across = np.meshgrid(
        np.arange(rows, dtype=np.float32) / TEXELS - ABOVE,
        np.arange(columns, dtype=np.float32) / TEXELS - LEFT,
        indexing="ij",
    )
    wobble = lumps(rng, along.shape, (20, 20))
    length, width = view.ed_length, view.lv_width
    wall = np.where(across < 0, view.septum_wall, view.lateral_wall).astype(np.float32)
    endo = (width * profile(view, along / length)).astype(np.float32)
    outer = ((along + view.apex_wall) / (length + view.apex_wall)).astype(np.float32)
    epi = (np.where(outer > 0, (width + wall) * profile(view, outer), -5)).astype(np.float32)
    reach = np.abs(across)

    level = np.full(along.shape, view.outside_db, np.float32)
    level += 6 * lumps(rng, along.shape, (14, 40)) + 4 * lumps(rng, along.shape, (5, 16))

    def paint(weight: Image, value: Image | float) -> None:
        level[...] = level * (1 - weight) + weight * value

    base, deep = width * view.lv_base, np.clip(along - length, 0, None)
    left, above_base = across < 0, inside(length + 1 - along, 3)
    # Right side of the heart: cavity behind the septum, thin free wall.
    climb = np.clip((along - view.rv_start * length) / (length * (1 - view.rv_start)), 0, 1)
    rv_outer = epi + 2 * width * view.rv_width * climb**0.6 * (1 - 0.25 * climb**3)
    paint(inside(rv_outer + 3 - reach + wobble, 3) * left * (climb > 0) * above_base, view.rv_db)
    paint(inside(rv_outer - reach + wobble, 2) * left * (climb > 0) * above_base, view.blood_db + 4)
    # Atria.
    la_half, ra_half = width * view.la_width, width * view.ra_width
    la_long, ra_long = length * view.la_length / 2, length * view.ra_length / 2
    la = ellipse(across, along, 0.1 * width, length + la_long * 0.9, la_half, la_long) + 0.9 * wobble
    ra_x = -(base + view.septum_wall * 0.8 + ra_half)
    ra = ellipse(across, along, ra_x, length + ra_long * 0.85, ra_half, ra_long) + 0.9 * wobble
    for cavity in (la, ra):
        paint(inside(cavity + 2.5, 3) * np.exp(-deep / (0.5 * length)), view.atrial_db)
    for cavity in (la, ra):
        paint(inside(cavity, 2.5), view.blood_db)
    # Left ventricle: a sharp septum, a lateral wall that fades outward.
    soft = np.where(left, 2.0, 0.9 * wall).astype(np.float32)
    muscle = np.clip((epi - reach + 0.5 * wobble) / soft + 0.5, 0, 1) * inside(length + 1.5 - along, 3)
    fade = np.clip(along / length, 0, 1)
    paint(muscle, np.where(left, view.septum_db - 7 * (1 - fade), view.lateral_db - 3 * (1 - fade)).astype(np.float32))
    core = ridge(reach - endo - 0.35 * wall, 0.3 * wall) * (along > 0) * (along < length)
    level += np.where(left, 3.5, 2.0).astype(np.float32) * core
    # Fibrous places: crux and atrial septum, lateral groove, pericardium behind the lateral wall, back of the atria.
    wall_l, wall_s = view.lateral_wall * view.annulus_size, view.septum_wall * view.annulus_size
    crux = ellipse(across, along, -(base + 0.6 * view.septum_wall), length + 1, 0.6 * wall_s, 1.5 * wall_s)
    paint(inside(crux + 0.9 * wobble, 3), view.annulus_db)
    stem = ridge(across + base + 0.55 * view.septum_wall - 0.12 * (along - length), 0.25 * view.septum_wall)
    paint(stem * inside(along - length, 3) * np.exp(-deep / (0.35 * length)), view.annulus_db - 2)
    lean_x, lean_y = across - base - wall_l * 1.1, along - length - 0.7 * wall_l
    turned = (0.83 * lean_x - 0.55 * lean_y, 0.55 * lean_x + 0.83 * lean_y)
    groove = ellipse(*turned, 0, 0, wall_l * 1.05, wall_l * 2.1) + 1.6 * wobble
    paint(inside(groove, 5), view.annulus_db - 2)
    behind = ridge(across - epi - 1.5, 1.8) * inside(along - 0.35 * length, 12) * inside(1.2 * length - along, 10)
    paint(behind * 0.8, view.pericardium_db)
    far = np.hypot(across, along) - (length + 2 * la_long * 0.95) + 1.5 * wobble
    patchy = inside(lumps(rng, along.shape, (30, 50)) + 0.3, 1.2)
    paint((ridge(far, 1.8) + 0.6 * ridge(far - 5, 1.5)).clip(0, 1) * 0.9 * patchy, view.pericardium_db - 2)
    # Cavity last: nothing fixed lies over the blood, but trabeculae and papillary muscle.
    trabecular = 0.5 * lumps(rng, along.shape, (5, 5))
    cavity = inside(endo - reach + trabecular, 2.2) * inside(along, 2) * inside(length - along)
    paint(cavity, view.blood_db)
    orifice = inside(0.95 * base - reach, 2) * inside(along - length + 4, 2) * inside(length + 7 - along, 2)
    paint(orifice, view.blood_db)
    spots = ridge(across - 0.6 * endo, 2.2) * ridge(along - 0.5 * length, 0.17 * length)
    paint(spots * cavity * inside(lumps(rng, along.shape, (5, 4)) - 0.3, 1.5), view.papillary_db)
    return np.asarray(cv2.GaussianBlur(level, (0, 0), 0.6 * TEXELS), np.float32)


def make_plate(view: Appearance, seed: int, slice_number: int = 0) -> Plate:
    """Draw the scatterers of ``view`` in a slice of the heart; a pure function.

    Args:
        view: the appearance.
        seed: as `render` has it.
        slice_number: 0 for the plane of view at rest; another one has other speckle, trabeculae and papillary muscle.
    """
    more = [slice_number] if slice_number else []
    rng = np.random.default_rng([view.speckle_seed, seed, 3, *more])
    level = anatomy(view, np.random.default_rng([view.speckle_seed, 5, *more]))
    level = level + view.patchiness_db * lumps(rng, level.shape, (4, 8))
    if slice_number:
        level = level + BESIDE_DB * lumps(rng, level.shape, (22, 30))
    amplitude = np.power(10, level / 20, dtype=np.float32)
    noise = rng.standard_normal((*level.shape, 4), dtype=np.float32)
    return Plate(amplitude[..., None] * noise, amplitude)
