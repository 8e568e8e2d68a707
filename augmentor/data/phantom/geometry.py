"""The drawn left ventricle: half-widths, contour, tracing and volume by the method of discs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .appearance import Appearance
from .motion import Motion
from .rhythm import contraction

Array = npt.NDArray[np.float64]
DISCS = 20
REGION_WIDTH = 0.22
STRONGEST_STRAIN = 0.85


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where the LV is at ``T`` times.

    Attributes:
        length: ``(T,)`` long axis, pixels.
        septal: ``(T,)`` contraction of the septal side, 0 at ED, 1 at ES of a regular beat.
        lateral: ``(T,)`` contraction of the lateral side, likewise.
        angle: ``(T,)`` lean of the long axis, radians.
        apex: ``(T, 2)`` x, y of the apex, pixels of a 112x112 frame.
    """

    length: Array
    septal: Array
    lateral: Array
    angle: Array
    apex: Array


def pose_at(motion: Motion, appearance: Appearance, times: Array) -> Pose:
    """Return where the LV is at ``times`` (seconds, ``(T,)``)."""
    septal = contraction(motion, times)
    lateral = contraction(motion, times, delay=motion.delay) if motion.delay else septal
    length = appearance.ed_length * (1 - motion.long_strain * septal)
    breath = np.sin(2 * np.pi * times / motion.breath_period + motion.rhythm_seed % 7) * motion.breath_shift
    swing = 0.5 * (septal + lateral)
    shift_x = appearance.ed_length * (motion.rock_shift * swing + breath)
    shift_y = appearance.ed_length * 0.5 * breath
    apex = np.stack(
        [appearance.origin_x + appearance.apex_x + shift_x, appearance.origin_y + appearance.apex_y + shift_y], axis=1
    )
    return Pose(length, septal, lateral, appearance.tilt + motion.rock_angle * swing, apex)


def profile(appearance: Appearance, x: Array) -> Array:
    """Return the half-width at ED, relative to the largest, at ``x`` along the axis (0 apex, 1 base; any shape)."""
    x = np.clip(x, 0, 1)
    top = appearance.lv_widest
    power = appearance.lv_roundness * (1 + appearance.foreshortening)
    apical = np.sqrt(1 - np.abs((top - np.minimum(x, top)) / top) ** power)
    basal = 1 - (1 - appearance.lv_base) * ((np.maximum(x, top) - top) / (1 - top)) ** 2
    return np.where(x < top, apical, basal)


def side_strain(motion: Motion, x: Array, side: int) -> Array:
    """Return the short strain at ES at ``x`` along the axis on a side (-1 septum, 1 lateral wall)."""
    region = np.exp(-0.5 * ((x - motion.regional_site) / REGION_WIDTH) ** 2)
    region = region * (1.0 if side * motion.regional_side > 0 else 0.25)
    return np.clip(motion.short_strain * (1 + side * motion.asymmetry) * (1 + motion.regional * region), 0, 0.8)


def half_widths(motion: Motion, appearance: Appearance, pose: Pose, x: Array) -> tuple[Array, Array]:
    """Return the ``(septal, lateral)`` half-widths in pixels, each ``(T, N)``, at ``x`` ``(N,)`` along the axis."""
    widest = appearance.lv_width * profile(appearance, x)[None]
    shrink = [
        np.minimum(side_strain(motion, x, side)[None] * move[:, None], STRONGEST_STRAIN)
        for side, move in ((-1, pose.septal), (1, pose.lateral))
    ]
    return widest * (1 - shrink[0]), widest * (1 - shrink[1])


def centre_line(appearance: Appearance, x: Array) -> Array:
    """Return the sideways bow of the long axis, pixels, at ``x`` along it."""
    x = np.clip(x, 0, 1)
    return appearance.lv_bend * appearance.ed_length * 4 * x * (1 - x)


def lv_volumes(motion: Motion, appearance: Appearance, times: Array) -> Array:
    """Return the LV volume in mL, ``(T,)``, at ``times`` (seconds): single-plane method of 20 discs, without pixels."""
    pose = pose_at(motion, appearance, np.asarray(times, np.float64))
    left, right = half_widths(motion, appearance, pose, disc_positions())
    discs = np.pi / 4 * (left + right) ** 2 * pose.length[:, None] / DISCS
    volumes: Array = discs.sum(axis=1) * appearance.mm_per_px**3 / 1000
    return volumes


def disc_positions() -> Array:
    """Return the middles of the discs along the axis, ``(20,)``, 0 apex to 1 base."""
    return (np.arange(DISCS) + 0.5) / DISCS


def to_image(appearance: Appearance, pose: Pose, frame: int, across: Array, along: Array) -> Array:
    """Map heart coordinates (across, down from the apex) to ``(N, 2)`` x, y in pixels of a 112x112 frame."""
    sine, cosine = np.sin(pose.angle[frame]), np.cos(pose.angle[frame])
    x = pose.apex[frame, 0] + cosine * across + sine * along
    y = pose.apex[frame, 1] - sine * across + cosine * along
    return np.stack([x, y], axis=-1)


def sides(motion: Motion, appearance: Appearance, pose: Pose, frame: int, x: Array) -> tuple[Array, Array]:
    """Return the ``(septal, lateral)`` borders in a frame at ``x`` along the axis, each ``(N, 2)`` pixels."""
    one = Pose(*(getattr(pose, key)[frame : frame + 1] for key in ("length", "septal", "lateral", "angle", "apex")))
    left, right = half_widths(motion, appearance, one, x)
    middle, along = centre_line(appearance, x), x * one.length[0]
    septal = to_image(appearance, one, 0, middle - left[0], along)
    return septal, to_image(appearance, one, 0, middle + right[0], along)


def contour(motion: Motion, appearance: Appearance, pose: Pose, frame: int, points: int = 48) -> Array:
    """Return a frame's closed LV border, ``(2 * points, 2)`` pixels: up the septum, down the lateral wall, across."""
    x = np.linspace(0, 1, points) ** 1.6
    septal, lateral = sides(motion, appearance, pose, frame, x)
    return np.concatenate([septal[::-1], lateral])


def trace(motion: Motion, appearance: Appearance, pose: Pose, frame: int) -> Array:
    """Return EchoNet's tracing, ``(21, 4)`` x1, y1, x2, y2: the long axis from the apex, then 20 chords to the base."""
    septal, lateral = sides(motion, appearance, pose, frame, np.concatenate([[0.0], disc_positions(), [1.0]]))
    apex, base = 0.5 * (septal[0] + lateral[0]), 0.5 * (septal[-1] + lateral[-1])
    chords = np.concatenate([lateral[1:-1], septal[1:-1]], axis=1)
    return np.concatenate([np.concatenate([apex, base])[None], chords])
