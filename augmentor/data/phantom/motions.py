"""Draw a motion: how a heart of a given EF contracts, and what else moves it."""

from dataclasses import replace

import numpy as np

from .appearance import Appearance
from .geometry import lv_volumes, pose_at, posed_volumes
from .motion import Motion
from .rendering import frame_times, labelled
from .views import sample_appearance

EF_RANGE = (10.0, 85.0)
SETTLING, MISSED = 5, 0.85  # steps; EF points that 25 frames a second miss of what 50 show
IRREGULAR_SHARE, ECTOPIC_SHARE, JOLTED_SHARE = 0.12, 0.1, 0.3


def sample_ef(rng: np.random.Generator) -> float:
    """Draw an EF in percent: most near 62, a quarter spread widely below (EchoNet-Dynamic: mean 55.8, sd 12.4)."""
    while True:
        ef = rng.normal(61.9, 6.0) if rng.random() < 0.72 else rng.normal(40.0, 13.0)
        if EF_RANGE[0] + 1 <= ef <= EF_RANGE[1] - 1:
            return float(ef)


def sample_motion(rng: np.random.Generator) -> Motion:
    """Draw a motion whose EF follows `sample_ef` and that contracts and does nothing else: that of format 2."""
    ef = sample_ef(rng)
    return calibrate(sample_contraction(rng, ef), ef)


def sample_contraction(rng: np.random.Generator, ef: float) -> Motion:
    """Draw a plain contraction with an EF of about ``ef`` percent."""
    share = rng.uniform(0.15, 0.25)  # of the long axis in the logarithm of the volume's shrinking
    irregular = rng.random() < IRREGULAR_SHARE
    rate = float(np.clip(rng.normal(70, 12), 50, 110))
    return Motion(
        heart_rate=rate,
        phase=rng.uniform(0, 1),
        long_strain=1 - (1 - ef / 100) ** share,
        short_strain=1 - (1 - ef / 100) ** ((1 - share) / 2),
        systole=float(np.clip(0.33 * (rate / 70) ** 0.5 + rng.normal(0, 0.02), 0.26, 0.46)),
        ejection_shape=rng.uniform(0.8, 1.15),
        rapid_filling=rng.uniform(0.3, 0.55),
        atrial_kick=0.0 if irregular else rng.uniform(0.1, 0.4),
        atrial_time=rng.uniform(0.18, 0.3),
        asymmetry=float(np.clip(rng.normal(0, 0.12), -0.3, 0.3)),
        regional=-rng.uniform(0.2, 0.7) if rng.random() < 0.25 else rng.normal(0, 0.05),
        regional_site=rng.uniform(0.1, 0.9),
        regional_side=float(rng.choice([-1, 1])),
        delay=float(np.clip(rng.normal(0, 0.015), -0.05, 0.05)),
        rock_angle=rng.normal(0, 0.025),
        rock_shift=rng.normal(0, 0.018),
        breath_shift=abs(rng.normal(0, 0.009)),
        breath_period=rng.uniform(3, 6),
        irregularity=rng.uniform(0.12, 0.28) if irregular else rng.uniform(0, 0.025),
        beat_coupling=rng.uniform(0.3, 0.7),
        rhythm_seed=int(rng.integers(2**31)),
    )


def calibrate(motion: Motion, ef: float) -> Motion:
    """Set the short strain of ``motion`` so that a regular beat of a standard heart has an EF of ``ef`` percent."""
    standard = sample_appearance(np.random.default_rng([0, 2]))
    steady = replace(motion, irregularity=0.0, phase=0.0)
    times = np.linspace(0, 60 / motion.heart_rate * 0.95, 96)
    low, high = 0.0, 0.79
    for _ in range(12):
        middle = 0.5 * (low + high)
        volumes = lv_volumes(replace(steady, short_strain=middle), standard, times)
        low, high = (middle, high) if 100 * (1 - volumes.min() / volumes[0]) < ef else (low, middle)
    return replace(motion, short_strain=0.5 * (low + high))


def sample_free_motion(rng: np.random.Generator, ef: float, appearance: Appearance) -> Motion:
    """Draw a motion that does not fit in a few numbers: that of format 3.

    Args:
        rng: where the numbers come from.
        ef: EF in percent that the heart's own recording shows.
        appearance: the heart's own.
    """
    lively = 0.35 + 0.65 * min(ef / 60, 1.0)  # a failing wall moves little in every way
    motion = replace(
        sample_contraction(rng, ef),
        delay=float(np.clip(rng.normal(0, 0.03), -0.09, 0.09)),
        rock_angle=rng.normal(0, 0.028),
        rock_shift=rng.normal(0, 0.016),
        breath_shift=abs(rng.normal(0, 0.011)),
        ectopic=rng.uniform(0.1, 0.35) if rng.random() < ECTOPIC_SHARE else 0.0,
        deformation=lively * rng.uniform(0.006, 0.018),
        restless=rng.uniform(0.1, 0.4),
        shear=lively * rng.normal(0, 0.025),
        annulus_tilt=lively * rng.normal(0, 0.08),
        septal_bounce=rng.normal(0, 0.015),
        apex_sway=rng.normal(0, 0.015),
        right_side=lively * max(rng.normal(0.085, 0.025), 0.0),
        plane_shift=abs(rng.normal(0, 0.045)) + 0.012,
        plane_twist=abs(rng.normal(0, 0.038)) + 0.012,
        plane_length=lively * rng.uniform(0, 0.06),
        drift=abs(rng.normal(0, 0.007)),
        jolts=rng.uniform(0.15, 0.6) if rng.random() < JOLTED_SHARE else 0.0,
        jolt_size=rng.uniform(0.006, 0.022),
        leaflet_reach=rng.uniform(0.55, 1.15),
        leaflet_flutter=rng.uniform(0, 0.12),
    )
    return settle(motion, ef, appearance)


def settle(motion: Motion, ef: float, appearance: Appearance) -> Motion:
    """Set the short strain of ``motion`` so that the labelled beat of two seconds of ``appearance`` has that EF."""
    times = frame_times(50, 25, 0)
    pose = pose_at(motion, appearance, times)

    def missed(strain: float) -> float:
        volumes = posed_volumes(replace(motion, short_strain=strain), appearance, pose)
        return labelled(motion, times, volumes).ef - (ef - MISSED)

    low, high = 0.0, 0.79
    below, above = missed(low), missed(high)
    for _ in range(SETTLING):
        # The Illinois form of false position: it never leaves the bracket, and needs few steps.
        strain = float(np.clip((low * above - high * below) / (above - below + 1e-12), 0.0, 0.79))
        error = missed(strain)
        if error * above > 0:
            high, above, below = strain, error, below / 2
        else:
            low, below, above = strain, error, above / 2
    return replace(motion, short_strain=strain)
