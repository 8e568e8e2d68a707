"""Draw a heart from a seed: motion spread like EchoNet-Dynamic's EF, appearance like its views."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from echo_augment.cache.arguments import check_seed

from .appearance import Appearance
from .geometry import lv_volumes
from .motion import Motion, known_fields
from .rendering import PhantomClip, render

EF_RANGE = (10.0, 85.0)
IRREGULAR_SHARE = 0.12


@dataclass(frozen=True, slots=True)
class Phantom:
    """A heart: its name, its motion, its appearance, and the seed that drew both."""

    name: str
    motion: Motion
    appearance: Appearance
    seed: int

    def to_json(self) -> dict[str, str | int | dict[str, float]]:
        """Return the entry of ``phantoms.json``."""
        motion, appearance = self.motion.to_json(), self.appearance.to_json()
        return {"name": self.name, "seed": self.seed, "motion": motion, "appearance": appearance}

    @classmethod
    def from_json(cls, values: object) -> "Phantom":
        """Return the phantom of an entry that `to_json` wrote.

        Raises:
            EchoAugmentError: a field is unknown, missing or out of range.
        """
        found = known_fields("phantom", cls, values)
        motion, appearance = Motion.from_json(found["motion"]), Appearance.from_json(found["appearance"])
        return cls(str(found["name"]), motion, appearance, int(found["seed"]))


def sample_phantom(seed: int, name: str | None = None) -> Phantom:
    """Draw the heart of ``seed``, motion and appearance independently of each other; a pure function.

    >>> heart = sample_phantom(42)
    >>> heart.name, round(heart.motion.heart_rate)
    ('P0000042', 90)

    Args:
        seed: 0 or more.
        name: name of the heart; by default ``"P0000042"`` for seed 42.

    Raises:
        EchoAugmentError: ``seed`` is negative or no whole number.
    """
    check_seed(seed)
    motion = sample_motion(np.random.default_rng([seed, 1]))
    appearance = sample_appearance(np.random.default_rng([seed, 2]))
    return Phantom(name or f"P{seed:07d}", motion, appearance, seed)


def counterfactual(
    motion_of: Phantom,
    appearance_of: Phantom,
    *,
    num_frames: int = 100,
    fps: float = 50.0,
    seed: int = 0,
    image_size: int = 112,
    start: float = 0.0,
) -> PhantomClip:
    """Render one heart's motion with another's appearance: the clip that a perfect generator would make.

    >>> clip = counterfactual(sample_phantom(1), sample_phantom(2), num_frames=2)
    >>> clip.frames.shape, clip.frames.dtype
    ((2, 112, 112), dtype('uint8'))

    Args:
        motion_of: heart that gives the motion.
        appearance_of: heart that gives the appearance.
        num_frames, fps, seed, image_size, start: as in `render`.

    Raises:
        EchoAugmentError: an argument is out of range.
    """
    return render(
        motion_of.motion,
        appearance_of.appearance,
        num_frames=num_frames,
        fps=fps,
        seed=seed,
        image_size=image_size,
        start=start,
    )


def sample_ef(rng: np.random.Generator) -> float:
    """Draw an EF in percent: most near 62, a quarter spread widely below (EchoNet-Dynamic: mean 55.8, sd 12.4)."""
    while True:
        ef = rng.normal(61.9, 6.0) if rng.random() < 0.72 else rng.normal(40.0, 13.0)
        if EF_RANGE[0] + 1 <= ef <= EF_RANGE[1] - 1:
            return float(ef)


def sample_motion(rng: np.random.Generator) -> Motion:
    """Draw a motion whose EF follows `sample_ef`."""
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


Draw = Callable[[np.random.Generator], float]


def around(mean: float, sd: float, low: float = -math.inf, high: float = math.inf) -> Draw:
    """Return a draw from a normal distribution, clipped to ``[low, high]``."""
    return lambda rng: float(np.clip(rng.normal(mean, sd), low, high))


def between(low: float, high: float) -> Draw:
    """Return a uniform draw from ``[low, high)``."""
    return lambda rng: float(rng.uniform(low, high))


# What real apical views show. A seed's appearance hangs on the order of the rows.
VIEW: dict[str, Draw] = {
    "lv_length": around(59.5, 4, 45, 72),
    "lv_width": around(0.348, 0.038, 0.25, 0.46),  # relative to the length
    "origin_y": around(5, 2, 2, 10),
    "origin_x": around(62, 1.2, 58, 65),
    "half_angle": around(0.785, 0.03, 0.7, 0.87),
    "depth": around(109, 2.5, 103, 114),  # from the top of the frame
    "near_cut": between(0.5, 5),
    "mm_per_px": around(1.2, 0.12, 0.9, 1.6),
    "apex_x": around(0, 2.5),
    "apex_y": around(9, 2.5, 5, 16),
    "tilt": around(0.05, 0.08),
    "foreshortening": around(0.02, 0.06, 0),
    "lv_widest": between(0.5, 0.75),
    "lv_base": between(0.66, 0.92),
    "lv_roundness": between(1.7, 2.5),
    "lv_bend": around(0, 0.03),
    "septum_wall": around(6, 0.8, 4, 9),
    "lateral_wall": around(7, 1, 4.5, 10),
    "apex_wall": between(3, 6),
    "rv_width": between(0.35, 0.8),
    "rv_start": between(0.2, 0.5),
    "la_width": between(0.75, 1.1),
    "la_length": between(0.5, 0.9),
    "ra_width": between(0.6, 0.95),
    "ra_length": between(0.45, 0.85),
    "septum_db": around(-4, 2),
    "lateral_db": around(-11, 3),
    "rv_db": around(-15, 3),
    "annulus_db": around(0, 2),
    "annulus_size": between(0.75, 1.5),
    "pericardium_db": around(0, 2.5),
    "atrial_db": around(-16, 3),
    "outside_db": lambda rng: rng.uniform(-18, -13) if rng.random() < 0.15 else rng.normal(-23, 2),
    "blood_db": around(-44, 3),
    "valve_db": around(-5.5, 2),
    "papillary_db": around(-22, 8),
    "gain_db": around(-5.5, 1.3),
    "dynamic_range": around(38, 1.5, 34, 42),
    "gamma": around(1.2, 0.12, 0.9, 1.5),
    "attenuation": between(-3, 6),
    "dropout_db": between(0, 14),
    "dropout_angle": between(0.35, 1.0),
    "dropout_width": between(0.12, 0.3),
    "edge_db": between(0, 14),
    "patchiness_db": between(1.8, 3.5),
    "clutter_db": around(-20, 4),
    "clutter_depth": between(10, 26),
    "noise_db": around(-37.5, 2.5),
    "noise_slope": between(-12, 2),
    "haze_db": around(-36, 2),
    "psf_axial": between(0.33, 0.55),
    "psf_lateral": between(0.85, 1.4),
    "persistence": between(0.08, 0.28),
    "scale_bar": lambda rng: int(rng.choice([0, 1, 2, 3], p=[0.1, 0.35, 0.25, 0.3])),
    "scale_position": between(0.3, 0.55),
    "marker": lambda rng: int(rng.choice([0, 1], p=[0.1, 0.9]) * rng.integers(130, 240)),
    "speckle_seed": lambda rng: int(rng.integers(2**31)),
}


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """Draw sector, anatomy and image quality, each within what real apical views show."""
    drawn = {name: draw(rng) for name, draw in VIEW.items()}
    drawn["lv_width"] *= drawn["lv_length"]
    drawn["depth"] -= drawn["origin_y"]
    return Appearance.from_json(drawn)
