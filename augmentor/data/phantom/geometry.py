"""The drawn left ventricle: half-widths, contour, tracing and volume by the method of discs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .appearance import Appearance
from .courses import breath, clock_at, probe
from .deformation import Deformation, deformation_at, hidden_length
from .motion import Motion
from .rhythm import contraction

Array = npt.NDArray[np.float64]
DISCS = 20
REGION_WIDTH = 0.22
STRONGEST_STRAIN = 0.85
WIDTHS_PER_LENGTH = 2.9  # of the LV of a usual heart


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where the LV is at ``T`` times.

    Attributes:
        length: ``(T,)`` long axis, pixels.
        septal: ``(T,)`` contraction of the septal side, 0 at ED, 1 at ES of a regular beat.
        lateral: ``(T,)`` contraction of the lateral side, likewise.
        angle: ``(T,)`` lean of the long axis, radians.
        apex: ``(T, 2)`` x, y of the apex, pixels of a 112x112 frame.
        deformation: what changes the heart's form beside the contraction; None for nothing.
    """

    length: Array
    septal: Array
    lateral: Array
    angle: Array
    apex: Array
    deformation: Deformation | None = None


def pose_at(motion: Motion, appearance: Appearance, times: Array) -> Pose:
    """Return where the LV is at ``times`` (seconds, ``(T,)``)."""
    septal = contraction(motion, times)
    lateral = contraction(motion, times, delay=motion.delay) if motion.delay else septal
    length = appearance.ed_length * (1 - motion.long_strain * septal)
    length = length * (1 - hidden_length(motion, clock_at(motion, times)))
    breathing, moved = breath(motion, times) * motion.breath_shift, probe(motion, times)
    swing = 0.5 * (septal + lateral)
    shift_x = appearance.ed_length * (motion.rock_shift * swing + breathing + moved[:, 0])
    shift_y = appearance.ed_length * (0.5 * breathing + moved[:, 1])
    apex = resting_apex(appearance) + np.stack([shift_x, shift_y], axis=1)
    angle = appearance.tilt + motion.rock_angle * swing + moved[:, 2]
    return Pose(length, septal, lateral, angle, apex, deformation_at(motion, times))


def resting_apex(appearance: Appearance) -> Array:
    """Return x, y of the apex at rest, pixels of a 112x112 frame."""
    return np.array([appearance.origin_x + appearance.apex_x, appearance.origin_y + appearance.apex_y])


def view_units(appearance: Appearance) -> Array:
    """Return the pixels of one unit of the view's own coordinates, across and along: both follow the LV's size."""
    return np.array([appearance.lv_width * WIDTHS_PER_LENGTH, appearance.ed_length])


def to_view(appearance: Appearance, points: Array) -> Array:
    """Map x, y in pixels ``(..., 2)`` to the view's own coordinates: across and along, in ED lengths from the apex.

    Across counts the LV's width for its length, so that a place of one heart is the same place in any other.
    """
    sine, cosine = np.sin(appearance.tilt), np.cos(appearance.tilt)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.asarray((points - resting_apex(appearance)) @ turn / view_units(appearance))


def from_view(appearance: Appearance, places: Array) -> Array:
    """Map what `to_view` gave back to x, y in pixels."""
    return resting_apex(appearance) + from_view_step(appearance, places)


def from_view_step(appearance: Appearance, steps: Array) -> Array:
    """Map steps in the view's own coordinates ``(..., 2)`` to steps in pixels."""
    sine, cosine = np.sin(appearance.tilt), np.cos(appearance.tilt)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray((steps * view_units(appearance)) @ turn)


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
    """Return the LV volume in mL, ``(T,)``, at ``times`` (seconds): single-plane method of 20 discs, without pixels.

    Of a heart that deforms it is that of its tracing; of one that only contracts, that of its half-widths.
    """
    return posed_volumes(motion, appearance, pose_at(motion, appearance, np.asarray(times, np.float64)))


def posed_volumes(motion: Motion, appearance: Appearance, pose: Pose) -> Array:
    """Return what `lv_volumes` returns at the times of ``pose``, which does not depend on the short strain."""
    if pose.deformation is not None:
        traced = traces(motion, appearance, pose)
        lengths = np.hypot(traced[..., 2] - traced[..., 0], traced[..., 3] - traced[..., 1])
        discs = np.pi / 4 * lengths[:, 1:] ** 2 * lengths[:, :1] / DISCS
    else:
        left, right = half_widths(motion, appearance, pose, disc_positions())
        discs = np.pi / 4 * (left + right) ** 2 * pose.length[:, None] / DISCS
    volumes: Array = discs.sum(axis=1) * appearance.mm_per_px**3 / 1000
    return volumes


def disc_positions() -> Array:
    """Return the middles of the discs along the axis, ``(20,)``, 0 apex to 1 base."""
    return (np.arange(DISCS) + 0.5) / DISCS


def to_image(pose: Pose, across: Array, along: Array) -> Array:
    """Map heart coordinates (across, down from the apex) ``(T, N)`` to ``(T, N, 2)`` x, y in pixels, undeformed."""
    sine, cosine = np.sin(pose.angle)[:, None], np.cos(pose.angle)[:, None]
    x = pose.apex[:, :1] + cosine * across + sine * along
    y = pose.apex[:, 1:] - sine * across + cosine * along
    return np.stack([x, y], axis=-1)


def deform(appearance: Appearance, pose: Pose, points: Array) -> Array:
    """Return where the deformation takes ``points`` ``(T, N, 2)``, x, y in pixels."""
    if pose.deformation is None:
        return points
    return from_view(appearance, pose.deformation.forward(to_view(appearance, points)))


def sides(motion: Motion, appearance: Appearance, pose: Pose, x: Array) -> tuple[Array, Array]:
    """Return the ``(septal, lateral)`` borders at ``x`` ``(N,)`` along the axis, each ``(T, N, 2)`` pixels."""
    left, right = half_widths(motion, appearance, pose, x)
    middle, along = centre_line(appearance, x)[None], x[None] * pose.length[:, None]
    septal, lateral = (to_image(pose, across, along) for across in (middle - left, middle + right))
    return deform(appearance, pose, septal), deform(appearance, pose, lateral)


def contours(motion: Motion, appearance: Appearance, pose: Pose, points: int = 48) -> Array:
    """Return the closed LV borders, ``(T, 2 * points, 2)`` pixels: up the septum, down the lateral wall, across."""
    septal, lateral = sides(motion, appearance, pose, np.linspace(0, 1, points) ** 1.6)
    return np.concatenate([septal[:, ::-1], lateral], axis=1)


def traces(motion: Motion, appearance: Appearance, pose: Pose) -> Array:
    """Return EchoNet's tracings, ``(T, 21, 4)`` x1, y1, x2, y2: the long axis from the apex, then 20 chords."""
    septal, lateral = sides(motion, appearance, pose, np.concatenate([[0.0], disc_positions(), [1.0]]))
    middle = 0.5 * (septal + lateral)
    axis = np.concatenate([middle[:, :1], middle[:, -1:]], axis=2)
    return np.concatenate([axis, np.concatenate([lateral, septal], axis=2)[:, 1:-1]], axis=1)
