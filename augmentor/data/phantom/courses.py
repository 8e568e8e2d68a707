"""Courses over time of what moves a phantom beside its contraction: within each beat, without rhythm, slow, sudden."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .motion import Motion
from .rhythm import beats_until, bump, ease, phase_at

Array = npt.NDArray[np.float64]
HARMONICS = np.arange(1, 6)
WAVES = 6  # of a course without rhythm
DRIFT_HZ, RESTLESS_HZ = (0.04, 0.35), (0.4, 3.0)
MOST_JOLTS = 64
JOLT_RISE, JOLT_FALL = 0.14, 0.6  # seconds


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """Where in which beat some times lie.

    Attributes:
        times: ``(T,)`` seconds.
        phase: ``(T,)`` 0 at ED to 1 at the next.
        strength: ``(T,)`` contraction of the beat, relative to a regular one.
        systole: ``(T,)`` share of the beat from ED to ES.
    """

    times: Array
    phase: Array
    strength: Array
    systole: Array


def clock_at(motion: Motion, times: Array) -> Clock:
    """Return beat and phase at ``times`` (seconds, ``(T,)``)."""
    times = np.asarray(times, np.float64)
    beats = beats_until(motion, float(times.max(initial=0.0)) + 1.0)
    index, phase = phase_at(beats, times)
    return Clock(times, phase, beats.strength[index], beats.systole[index])


def cyclic(clock: Clock, rng: np.random.Generator, count: int) -> Array:
    """Return ``count`` courses ``(T, count)`` that repeat with every beat, are 0 at ED, and about 1 in size."""
    cosines, sines = rng.standard_normal((2, len(HARMONICS), count)) / HARMONICS[:, None] ** 1.3
    angle = 2 * np.pi * clock.phase[:, None] * HARMONICS
    return np.asarray(((np.cos(angle) - 1) @ cosines + np.sin(angle) @ sines) * clock.strength[:, None] / 1.6)


def wandering(times: Array, rng: np.random.Generator, count: int, hertz: tuple[float, float]) -> Array:
    """Return ``count`` courses ``(T, count)`` of unit variance that have no rhythm, at frequencies within ``hertz``."""
    pace = np.exp(rng.uniform(np.log(hertz[0]), np.log(hertz[1]), (WAVES, count)))
    turn = rng.uniform(0, 2 * np.pi, (WAVES, count))
    return np.asarray(np.sin(2 * np.pi * pace * times[:, None, None] + turn).sum(axis=1) * np.sqrt(2 / WAVES))


def systolic(clock: Clock, late: float = 0.0) -> Array:
    """Return a course ``(T,)`` that rises from 0 at ED to 1 about ES, ``late`` beats after it, and falls back to 0."""
    peak = np.clip(clock.systole + late, 0.15, 0.8)
    rise, fall = ease(clock.phase / peak), 1 - ease((clock.phase - peak) / (0.95 - peak))
    return np.where(clock.phase < peak, rise, fall) * clock.strength


def early_diastolic(clock: Clock) -> Array:
    """Return a course ``(T,)`` of one short swing after ES, 0 to 1."""
    return bump((clock.phase - clock.systole) / 0.3) * clock.strength


def breath(motion: Motion, times: Array) -> Array:
    """Return the course of breathing ``(T,)``, -1 to 1."""
    return np.asarray(np.sin(2 * np.pi * times / motion.breath_period + motion.rhythm_seed % 7))


def probe(motion: Motion, times: Array) -> Array:
    """Return how far drift and jolts of the probe have moved the heart: ``(T, 3)``, ED lengths and radians."""
    shares = np.array([1.0, 0.7, 0.8])
    moved = np.zeros((len(times), 3))
    if motion.drift:
        slow = wandering(times, np.random.default_rng([motion.rhythm_seed, 31]), 3, DRIFT_HZ)
        moved += motion.drift * shares * slow
    if motion.jolts:
        rng = np.random.default_rng([motion.rhythm_seed, 32])
        begin = np.cumsum(rng.exponential(1 / motion.jolts, MOST_JOLTS))
        size = motion.jolt_size * shares * rng.standard_normal((MOST_JOLTS, 3))
        back = rng.uniform(0.4, 1.0, MOST_JOLTS)  # the hand brings it back, not quite
        since = times[:, None] - begin
        course = ease(since / JOLT_RISE) - back * ease((since - JOLT_RISE) / JOLT_FALL)
        moved += course @ size
    return moved
