"""EF, EDV, frame rate and length of recordings, spread as in EchoNet-Dynamic's table (10,030 videos)."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from echo_augment.cache.system.extras import needs

from .appearance import Appearance
from .geometry import DISCS, disc_positions, profile

with needs("recipes"):
    from scipy.stats import norm

Array = npt.NDArray[np.float64]
# Quantiles of the table; its least and largest values are rounded inward to what the phantom can draw.
SHARES = np.array([0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0])
EF_SHARES = np.array([0.0, 0.01, 0.05, 0.126, 0.224, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0])
EF = np.array([11.0, 17.9, 27.9, 40.0, 50.0, 51.6, 59.2, 64.0, 69.1, 74.3, 80.0])
EDV = np.array([18.0, 28.9, 40.4, 62.2, 82.1, 108.3, 173.2, 262.4, 380.0])
SECONDS = np.array([1.2, 1.6, 2.2, 2.8, 3.4, 4.0, 4.9, 6.2, 8.0])
COPULA = -0.57  # correlation of the normal scores of EF and EDV, which makes that of the values -0.53
USUAL_FPS, USUAL_SHARE, OTHER_FPS = 50.0, 0.79, (18, 138)
FRAMES = (28, 1002)
STRETCH = {"lv_length": 0.7, "lv_width": 1.6}  # shares, of 3, of a heart's size that are drawn; the rest is scale
LENGTHS, WIDTHS, SCALES = (42.0, 73.0), (11.0, 34.0), (0.55, 3.0)


def draw_volumes(rng: np.random.Generator) -> tuple[float, float]:
    """Draw EF in percent and EDV in mL, which go together: large ventricles eject less."""
    first, second = rng.standard_normal(2)
    other = COPULA * first + np.sqrt(1 - COPULA**2) * second
    ef, edv = np.interp(norm.cdf(first), EF_SHARES, EF), np.interp(norm.cdf(other), SHARES, EDV)
    return float(ef), float(edv)


def draw_recording(rng: np.random.Generator) -> tuple[int, float]:
    """Draw the frames and the frames per second of a recording: 50 in 79 %, else 18 to 138."""
    usual, other, share = rng.random() < USUAL_SHARE, rng.uniform(*np.log(OTHER_FPS)), rng.random()
    fps = USUAL_FPS if usual else float(np.round(np.exp(other)))
    frames = round(float(np.interp(share, SHARES, SECONDS)) * fps)
    return int(np.clip(frames, *FRAMES)), fps


def resting_volume(appearance: Appearance) -> float:
    """Return the volume in mL of the LV at ED, undeformed, by the method of discs."""
    width = 2 * appearance.lv_width * profile(appearance, disc_positions())
    discs = np.pi / 4 * width**2 * appearance.ed_length / DISCS
    return float(discs.sum() * appearance.mm_per_px**3 / 1000)


def sized(appearance: Appearance, edv: float) -> Appearance:
    """Give an appearance an EDV of ``edv`` mL: partly a larger ventricle in the picture, the rest by its scale."""
    ratio = edv / resting_volume(appearance)
    length = float(np.clip(appearance.lv_length * ratio ** (STRETCH["lv_length"] / 3), *LENGTHS))
    width = float(np.clip(appearance.lv_width * ratio ** (STRETCH["lv_width"] / 6), *WIDTHS))
    drawn = replace(appearance, lv_length=length, lv_width=width)
    scale = appearance.mm_per_px * (edv / resting_volume(drawn)) ** (1 / 3)
    return replace(drawn, mm_per_px=float(np.clip(scale, *SCALES)))
