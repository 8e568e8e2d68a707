"""When a phantom heart beats, and how far it has contracted at any time: pure functions of a `Motion`."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .motion import Motion

Array = npt.NDArray[np.float64]
SHORTEST_BEAT, LONGEST_BEAT = 0.6, 1.6
EARLY, PAUSE = 0.62, 1.38  # lengths of the beat that an ectopic one cuts short, and of the ectopic one with its pause
WEAKEST_BEAT, STRONGEST_BEAT = 0.5, 1.1


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """The beats of a rhythm, one entry per beat, the first of which holds time 0.

    Attributes:
        start: time of ED, seconds.
        length: seconds to the next ED.
        systole: share of the beat from ED to ES.
        strength: the beat's contraction, relative to a regular one.
    """

    start: Array
    length: Array
    systole: Array
    strength: Array


def beats_until(motion: Motion, end: float) -> Beats:
    """Return all beats from the one that holds time 0 to the one that holds ``end`` (seconds) and one more.

    In an irregular rhythm a beat after a short one is weaker (less filling), and systole keeps more of its length than
    diastole, as in atrial fibrillation. An ectopic beat cuts the one before it short, is weak, and a pause
    follows.
    """
    regular = 60.0 / motion.heart_rate
    count = int(np.ceil(max(end, 0.0) / (regular * SHORTEST_BEAT))) + 4
    draw = np.random.default_rng([motion.rhythm_seed, 7]).standard_normal(count)
    ratio = np.clip(1 + motion.irregularity * draw, SHORTEST_BEAT, LONGEST_BEAT)
    if motion.ectopic:
        early = np.flatnonzero(np.random.default_rng([motion.rhythm_seed, 8]).random(count)[:-1] < motion.ectopic)
        ratio[early + 1] = PAUSE
        ratio[early] = EARLY
    before = np.concatenate([[1.0], ratio[:-1]])
    strength = np.clip(1 + motion.beat_coupling * (before - 1), WEAKEST_BEAT, STRONGEST_BEAT)
    length = regular * ratio
    start = np.concatenate([[0.0], np.cumsum(length)[:-1]]) - motion.phase * length[0]
    return Beats(start, length, np.clip(motion.systole * ratio**-0.6, 0.2, 0.6), strength)


def phase_at(beats: Beats, times: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """Return ``(beat index, phase in [0, 1])`` at each time, each ``(T,)``."""
    index = np.clip(np.searchsorted(beats.start, times, side="right") - 1, 0, len(beats.start) - 1)
    return index, np.clip((times - beats.start[index]) / beats.length[index], 0.0, 1.0)


def contraction(motion: Motion, times: Array, *, delay: float = 0.0) -> Array:
    """Return the contraction at ``times`` (seconds, ``(T,)``): 0 at ED, 1 at ES of a regular beat.

    Ejection is a smooth rise; filling is an early wave, diastasis and the atrial kick.

    Args:
        motion: the heart's motion.
        times: seconds, 0 or more.
        delay: time by which the wall asked for is late, in beats.
    """
    times = np.asarray(times, np.float64)
    beats = beats_until(motion, float(times.max(initial=0.0)) + 1.0)
    index, phase = phase_at(beats, times - delay * 60.0 / motion.heart_rate)
    systole = beats.systole[index]
    rising = ease((phase / systole).clip(0, 1) ** motion.ejection_shape)
    late = ((phase - systole) / (1 - systole)).clip(0, 1)
    early_wave = ease(late / motion.rapid_filling)
    atrial_wave = ease((late - (1 - motion.atrial_time)) / motion.atrial_time)
    falling = 1 - (1 - motion.atrial_kick) * early_wave - motion.atrial_kick * atrial_wave
    return np.where(phase < systole, rising, falling) * beats.strength[index]


def valve_opening(motion: Motion, times: Array) -> Array:
    """Return how far the mitral valve is open at ``times``, 0 to 1: wide in the early wave, half shut in diastasis."""
    beats = beats_until(motion, float(np.max(times, initial=0.0)) + 1.0)
    index, phase = phase_at(beats, np.asarray(times, np.float64))
    systole = beats.systole[index]
    late = (phase - systole) / (1 - systole)
    early = bump((late - 0.03) / (1.25 * motion.rapid_filling))
    atrial = bump((late - (1 - 1.15 * motion.atrial_time)) / (1.1 * motion.atrial_time))
    rest = 0.35 * ease(late / 0.1) * ease((0.97 - late) / 0.1)
    return np.where(late > 0, np.maximum.reduce([early, (0.4 + motion.atrial_kick) * atrial, rest]), 0.0).clip(0, 1)


def labelled_frames(motion: Motion, times: Array, volumes: Array) -> tuple[int, int]:
    """Return ``(ED frame, ES frame)`` of the labelled beat: the first whose ED and ES both lie in ``times``.

    If no beat does (a clip shorter than a beat), return the frames of the largest and the smallest volume.
    """
    beats = beats_until(motion, float(times[-1]) + 1.0)
    step = float(times[1] - times[0]) if len(times) > 1 else 0.0
    for start, length, systole in zip(beats.start, beats.length, beats.systole, strict=True):
        if start < times[0] - 1e-9 or start + systole * length > times[-1]:
            continue
        near = np.flatnonzero(np.abs(times - start) <= max(0.06 * length, step))
        after = np.flatnonzero((times > start) & (times < start + min(0.9, 1.6 * systole) * length))
        return int(near[np.argmax(volumes[near])]), int(after[np.argmin(volumes[after])])
    return int(np.argmax(volumes)), int(np.argmin(volumes))


def ease(x: Array) -> Array:
    """Rise smoothly from 0 at ``x <= 0`` to 1 at ``x >= 1``, flat at both ends."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def bump(x: Array) -> Array:
    """Rise smoothly from 0 outside (0, 1) to 1 at 0.5."""
    x = np.clip(x, 0, 1)
    return 16 * x * x * (1 - x) * (1 - x)
