"""Draw a heart from a seed: motion spread like EchoNet-Dynamic's EF, appearance like its views."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from echo_augment.cache.errors import EchoAugmentError

from .appearance import Appearance
from .geometry import lv_volumes
from .motion import Motion
from .rendering import PhantomClip, render

EF_RANGE = (10.0, 85.0)
IRREGULAR_SHARE = 0.12


@dataclass(frozen=True, slots=True)
class Phantom:
    """A heart: its name, how it moves, how it looks, and the seed that drew both."""

    name: str
    motion: Motion
    appearance: Appearance
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """The fields as a JSON-able dict."""
        motion, appearance = self.motion.as_dict(), self.appearance.as_dict()
        return {"name": self.name, "seed": self.seed, "motion": motion, "appearance": appearance}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Phantom":
        """The phantom that :meth:`as_dict` gave."""
        motion, appearance = Motion.from_dict(values["motion"]), Appearance.from_dict(values["appearance"])
        return cls(str(values["name"]), motion, appearance, int(values["seed"]))


def sample_phantom(seed: int, name: str | None = None) -> Phantom:
    """The heart of ``seed``: a pure function. Motion and appearance are drawn independently of each other.

    Args:
        seed: not negative.
        name: ``"P0000042"`` for seed 42 where None.

    Raises:
        EchoAugmentError: a negative seed.
    """
    if seed < 0:
        raise EchoAugmentError(f"seed must not be negative, got {seed}")
    motion = sample_motion(np.random.default_rng([seed, 1]))
    appearance = sample_appearance(np.random.default_rng([seed, 2]))
    return Phantom(name or f"P{seed:07d}", motion, appearance, seed)


def counterfactual(motion_of: Phantom, appearance_of: Phantom, **render_kwargs: Any) -> PhantomClip:
    """The motion of one heart with the appearance of another: the clip that a perfect generator would make."""
    return render(motion_of.motion, appearance_of.appearance, **render_kwargs)


def sample_ef(rng: np.random.Generator) -> float:
    """An EF in percent: most hearts about 61, a quarter spread widely below (EchoNet-Dynamic: mean 55.8, sd 12.4)."""
    while True:
        ef = rng.normal(61.9, 6.0) if rng.random() < 0.72 else rng.normal(40.0, 13.0)
        if EF_RANGE[0] + 1 <= ef <= EF_RANGE[1] - 1:
            return float(ef)


def sample_motion(rng: np.random.Generator) -> Motion:
    """A motion whose EF follows :func:`sample_ef`."""
    ef = sample_ef(rng)
    share = rng.uniform(0.15, 0.25)  # of the long axis in the logarithm of the volume's shrinking
    irregular = rng.random() < IRREGULAR_SHARE
    rate = float(np.clip(rng.normal(70, 12), 50, 110))
    motion = Motion(
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
    return calibrate(motion, ef)


def calibrate(motion: Motion, ef: float) -> Motion:
    """``motion`` with its short strain set so that a regular beat of a standard heart has ``ef`` percent."""
    look = sample_appearance(np.random.default_rng([0, 2]))
    steady = replace(motion, irregularity=0.0, phase=0.0)
    times = np.linspace(0, 60 / motion.heart_rate * 0.95, 96)
    low, high = 0.0, 0.79
    for _ in range(12):
        middle = 0.5 * (low + high)
        volumes = lv_volumes(replace(steady, short_strain=middle), look, times)
        low, high = (middle, high) if 100 * (1 - volumes.min() / volumes[0]) < ef else (low, middle)
    return replace(motion, short_strain=0.5 * (low + high))


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """A view: sector, anatomy and image quality, each within what real apical views show."""

    def normal(mean: float, sd: float, low: float, high: float) -> float:
        return float(np.clip(rng.normal(mean, sd), low, high))

    length = normal(59.5, 4, 45, 72)
    width = length * normal(0.348, 0.038, 0.25, 0.46)
    origin_y = normal(5, 2, 2, 10)
    return Appearance(
        origin_x=normal(62, 1.2, 58, 65),
        origin_y=origin_y,
        half_angle=normal(0.785, 0.03, 0.7, 0.87),
        depth=normal(109, 2.5, 103, 114) - origin_y,
        near_cut=rng.uniform(0.5, 5),
        mm_per_px=normal(1.2, 0.12, 0.9, 1.6),
        apex_x=rng.normal(0, 2.5),
        apex_y=normal(9, 2.5, 5, 16),
        tilt=rng.normal(0.05, 0.08),
        lv_length=length,
        foreshortening=float(max(0, rng.normal(0.02, 0.06))),
        lv_width=width,
        lv_widest=rng.uniform(0.5, 0.75),
        lv_base=rng.uniform(0.66, 0.92),
        lv_roundness=rng.uniform(1.7, 2.5),
        lv_bend=rng.normal(0, 0.03),
        septum_wall=normal(6, 0.8, 4, 9),
        lateral_wall=normal(7, 1, 4.5, 10),
        apex_wall=rng.uniform(3, 6),
        rv_width=rng.uniform(0.35, 0.8),
        rv_start=rng.uniform(0.2, 0.5),
        la_width=rng.uniform(0.75, 1.1),
        la_length=rng.uniform(0.5, 0.9),
        ra_width=rng.uniform(0.6, 0.95),
        ra_length=rng.uniform(0.45, 0.85),
        septum_db=rng.normal(-4, 2),
        lateral_db=rng.normal(-11, 3),
        rv_db=rng.normal(-15, 3),
        annulus_db=rng.normal(0, 2),
        annulus_size=rng.uniform(0.75, 1.5),
        pericardium_db=rng.normal(0, 2.5),
        atrial_db=rng.normal(-16, 3),
        outside_db=rng.uniform(-18, -13) if rng.random() < 0.15 else rng.normal(-23, 2),
        blood_db=rng.normal(-44, 3),
        valve_db=rng.normal(-5.5, 2),
        papillary_db=rng.normal(-22, 8),
        gain_db=rng.normal(-5.5, 1.3),
        dynamic_range=normal(38, 1.5, 34, 42),
        gamma=normal(1.2, 0.12, 0.9, 1.5),
        attenuation=rng.uniform(-3, 6),
        dropout_db=rng.uniform(0, 14),
        dropout_angle=rng.uniform(0.35, 1.0),
        dropout_width=rng.uniform(0.12, 0.3),
        edge_db=rng.uniform(0, 14),
        patchiness_db=rng.uniform(1.8, 3.5),
        clutter_db=rng.normal(-20, 4),
        clutter_depth=rng.uniform(10, 26),
        noise_db=rng.normal(-37.5, 2.5),
        noise_slope=rng.uniform(-12, 2),
        haze_db=rng.normal(-36, 2),
        psf_axial=rng.uniform(0.33, 0.55),
        psf_lateral=rng.uniform(0.85, 1.4),
        persistence=rng.uniform(0.08, 0.28),
        scale_bar=int(rng.choice([0, 1, 2, 3], p=[0.1, 0.35, 0.25, 0.3])),
        scale_position=rng.uniform(0.3, 0.55),
        marker=int(rng.choice([0, 1], p=[0.1, 0.9]) * rng.integers(130, 240)),
        speckle_seed=int(rng.integers(2**31)),
    )
