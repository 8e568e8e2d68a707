"""The smooth deformation of a phantom beside its contraction, and its movement through the plane of view.

Both are functions of the motion alone, in coordinates of the view in ED lengths: so they fit any other heart.
"""

import math

import numpy as np
import numpy.typing as npt

from .courses import RESTLESS_HZ, Clock, clock_at, cyclic, early_diastolic, systolic, wandering
from .motion import Motion

Array = npt.NDArray[np.float64]
RANDOM = 12  # random modes of the deformation
WAVELENGTHS = (0.8, 2.2)  # of them, ED lengths
PLANES = 4  # random modes of the movement through the plane
STEEPEST = 0.42  # change of the displacement over its own length, at most: above 1 tissue would fold
TRIAL_SECONDS = np.linspace(0, 8, 161)
SOLVES = 8


def centred(x: Array, middle: float, width: float) -> Array:
    """Return a soft window around ``middle``, 1 there."""
    return np.asarray(np.exp(-0.5 * ((x - middle) / width) ** 2))


class Deformation:
    """Displacement of tissue at a point and a time: a sum of smooth modes, each with its own course.

    Backward: what is at ``p`` came from ``p - displacement(p)``. So pixels are looked up without solving anything, and
    borders, which go forward, are found by fixed-point iteration to a hundredth of a pixel.

    Args:
        motion: the heart's motion.
        times: seconds, ``(T,)``.

    Attributes:
        courses: ``(T, K)`` the modes' courses, in ED lengths.
        directions: ``(K, 2)`` the way each moves tissue, across and along.
    """

    def __init__(self, motion: Motion, times: Array) -> None:
        rng = np.random.default_rng([motion.rhythm_seed, 21])
        turn = rng.uniform(0, 2 * np.pi, RANDOM)
        size = 2 * np.pi / np.exp(rng.uniform(np.log(WAVELENGTHS[0]), np.log(WAVELENGTHS[1]), RANDOM))
        self._waves = np.stack([np.cos(turn), np.sin(turn)]) * size
        self._offsets = rng.uniform(0, 2 * np.pi, RANDOM)
        facing = rng.uniform(0, 2 * np.pi, RANDOM)
        random = np.stack([np.cos(facing), np.sin(facing)], axis=1)
        self.directions = np.concatenate([random, [(0, 1), (0, 1), (1, 0), (1, 0), (0, -1)]])
        trial = self._courses(motion, TRIAL_SECONDS)
        ease = min(1.0, STEEPEST / max(self._steepness(trial), 1e-9))
        self.courses = self._courses(motion, np.asarray(times, np.float64)) * ease

    @staticmethod
    def _courses(motion: Motion, times: Array) -> Array:
        clock, rng = clock_at(motion, times), np.random.default_rng([motion.rhythm_seed, 22])
        beating = cyclic(clock, rng, RANDOM)
        loose = wandering(times, rng, RANDOM, RESTLESS_HZ)
        share = math.sqrt(motion.restless)
        random = motion.deformation * math.sqrt(2 / RANDOM) * (math.sqrt(1 - motion.restless) * beating + share * loose)
        late = rng.normal(0, 0.08, 4)
        own = [
            motion.shear * systolic(clock, late[0]),
            motion.annulus_tilt * systolic(clock, late[1]),
            motion.septal_bounce * (early_diastolic(clock) - 0.5 * systolic(clock, -0.15)),
            motion.apex_sway * systolic(clock, late[2]),
            motion.right_side * systolic(clock, late[3]),
        ]
        return np.concatenate([random, np.stack(own, axis=1)], axis=1)

    def shapes(self, places: Array) -> Array:
        """Return how strong each mode is at ``places`` ``(..., 2)``, in ED lengths from the apex: ``(..., K)``."""
        u, v = places[..., 0], places[..., 1]
        own = [
            np.tanh(u / 0.2) * centred(v, 0.6, 0.45),
            np.clip(u, -0.8, 0.8) * centred(v, 1.0, 0.25),
            centred(u, -0.33, 0.16) * centred(v, 0.5, 0.3),
            centred(v, 0.0, 0.3),
            0.5 * (1 - np.tanh((u + 0.55) / 0.18)) * centred(v, 0.9, 0.4),
        ]
        return np.concatenate([np.sin(places @ self._waves + self._offsets), np.stack(own, axis=-1)], axis=-1)

    def _steepness(self, courses: Array) -> float:
        """Return the largest change of the displacement over its own length, in the heart and at any of the times."""
        u, v = np.meshgrid(np.linspace(-0.8, 0.8, 13), np.linspace(-0.1, 1.7, 14))
        places, step = np.stack([u.ravel(), v.ravel()], axis=1), 0.02
        slopes = [(self.shapes(places + move) - self.shapes(places)) / step for move in ((step, 0.0), (0.0, step))]
        weights = courses[:, :, None] * self.directions
        jacobian = np.stack([slope @ weights for slope in slopes], axis=-1)
        return float(np.sqrt((jacobian**2).sum(axis=(-2, -1)).max()))

    def forward(self, places: Array) -> Array:
        """Return where tissue that rests at ``places`` ``(T, N, 2)``, in ED lengths from the apex, has gone."""
        moved = places
        for _ in range(SOLVES):
            moved = places + self.displacement(moved)
        return moved

    def displacement(self, places: Array) -> Array:
        """Return the displacement at ``places`` ``(T, N, 2)`` at the time of each row, likewise."""
        return np.asarray(self.shapes(places) @ (self.courses[:, :, None] * self.directions))


class PlaneShift:
    """How far tissue has moved through the plane of view, in ED lengths: what decorrelates its speckle.

    Args:
        motion: the heart's motion.
        clock: the times.

    Attributes:
        courses: ``(T, K)`` the modes' courses, in ED lengths.
    """

    def __init__(self, motion: Motion, clock: Clock) -> None:
        rng = np.random.default_rng([motion.rhythm_seed, 24])
        beating, loose = cyclic(clock, rng, PLANES), wandering(clock.times, rng, PLANES, RESTLESS_HZ)
        mixed = math.sqrt(1 - motion.restless) * beating + math.sqrt(motion.restless) * loose
        turn = systolic(clock, float(rng.normal(0, 0.05)))
        sizes = np.array([motion.plane_shift, motion.plane_twist, motion.plane_twist, 0.5 * motion.plane_shift])
        self.courses = mixed * sizes
        self.courses[:, 1:3] += 0.7 * motion.plane_twist * turn[:, None]

    @staticmethod
    def basis(places: Array) -> Array:
        """Return the modes at ``places`` ``(N, 2)``, in ED lengths from the apex: ``(K, N)``."""
        u, v = places[:, 0], places[:, 1]
        return np.stack(
            [np.ones_like(u), np.clip(2 * u, -1.5, 1.5), np.clip(2 * v - 1, -1.5, 1.5), np.sin(4 * u + 3 * v)]
        )


def hidden_length(motion: Motion, clock: Clock) -> Array:
    """Return the share of the long axis ``(T,)`` that the movement through the plane hides."""
    if not motion.plane_length:
        return np.zeros(len(clock.times))
    rng = np.random.default_rng([motion.rhythm_seed, 25])
    slow = wandering(clock.times, rng, 1, (0.1, 0.5))[:, 0]
    return np.asarray(motion.plane_length * (systolic(clock, float(rng.normal(0.1, 0.1))) + 0.3 * (1 + np.tanh(slow))))


def deformation_at(motion: Motion, times: Array) -> Deformation | None:
    """Return the deformation of ``motion`` at ``times``, None where it has none."""
    return Deformation(motion, times) if motion.deforms else None


def plane_shift_at(motion: Motion, times: Array) -> PlaneShift | None:
    """Return the movement of ``motion`` through the plane of view at ``times``, None where it has none."""
    return PlaneShift(motion, clock_at(motion, times)) if motion.leaves_plane else None
