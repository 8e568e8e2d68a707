"""Draw an appearance: anatomy, view and scanner, each within what real apical views show; two populations."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from .appearance import Appearance

Draw = Callable[[np.random.Generator], float]


def around(mean: float, sd: float, low: float = -math.inf, high: float = math.inf) -> Draw:
    """Return a draw from a normal distribution, clipped to ``[low, high]``."""
    return lambda rng: float(np.clip(rng.normal(mean, sd), low, high))


def between(low: float, high: float) -> Draw:
    """Return a uniform draw from ``[low, high)``."""
    return lambda rng: float(rng.uniform(low, high))


def sometimes(share: float, draw: Draw) -> Draw:
    """Return ``draw`` in a share of the hearts, else 0; it takes as many numbers either way."""

    def maybe(rng: np.random.Generator) -> float:
        chosen, value = rng.random() < share, draw(rng)
        return value if chosen else 0.0

    return maybe


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


# What format 3 has beside: further scanners of the same kind, and what the heart's movement uncovers.
MORE: dict[str, Draw] = {
    "noise_db": around(-38.5, 2.5),
    "elevation": between(1.0, 2.6),
    "shadow_db": sometimes(0.35, between(6, 26)),
    "shadow_angle": between(-1.0, 1.0),
    "shadow_width": between(0.08, 0.25),
    "shade_sway": between(0, 0.12),
    "side_lobes": sometimes(0.6, between(0.005, 0.04)),
    "haze_patches_db": between(0, 4),
    "knee": between(0, 0.25),
    "smoothing": sometimes(0.25, between(0.2, 0.5)),
    "overlay": lambda rng: int(rng.choice([0, 1, 2, 3], p=[0.55, 0.25, 0.1, 0.1])),
}
# Another scanner: population B differs from A in these alone, in no anatomy and no motion.
OTHER_SCANNER: dict[str, Draw] = {
    "origin_x": around(56, 1.5, 52, 60),
    "half_angle": around(0.64, 0.03, 0.56, 0.72),
    "depth": around(111, 1.5, 107, 114),
    "near_cut": between(4, 11),
    "gain_db": around(-7, 1.5),
    "dynamic_range": around(46, 2, 42, 52),
    "gamma": around(1.25, 0.1, 1.0, 1.5),
    "attenuation": between(2, 10),
    "clutter_db": around(-20, 4),
    "noise_db": around(-40, 3),
    "haze_db": around(-38, 2.5),
    "psf_axial": between(0.5, 0.75),
    "psf_lateral": between(1.3, 1.8),
    "persistence": between(0.05, 0.2),
    "scale_bar": lambda rng: 0,
    "marker": lambda rng: int(rng.integers(90, 160)),
    "elevation": between(1.3, 3.2),
    "shadow_db": sometimes(0.55, between(6, 26)),
    "side_lobes": between(0.02, 0.06),
    "haze_patches_db": between(2, 8),
    "knee": between(0.4, 0.8),
    "smoothing": between(0.3, 0.5),
    "overlay": lambda rng: int(rng.choice([2, 3])),
}
POPULATIONS: Mapping[str, Mapping[str, Draw]] = {"A": VIEW | MORE, "B": VIEW | MORE | OTHER_SCANNER}


def sample_appearance(rng: np.random.Generator, table: Mapping[str, Draw] = VIEW) -> Appearance:
    """Draw sector, anatomy and image quality, each within what real apical views show.

    Args:
        rng: where the numbers come from.
        table: how each field is drawn; `VIEW` is format 2, `POPULATIONS` format 3.
    """
    drawn = {name: draw(rng) for name, draw in table.items()}
    drawn["lv_width"] *= drawn["lv_length"]
    drawn["depth"] -= drawn["origin_y"]
    return Appearance.from_json(drawn)
