"""Figures of a clip's pixels, alike for real clips and phantoms: histogram, spectrum, speckle, change over time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
Array = npt.NDArray[np.floating[Any]]
MOST_FRAMES = 64
TISSUE_GREY = 45
LOW_BAND, MIDDLE_BAND, HIGH_BAND = (1, 6), (6, 20), (20, 56)


def intensity_figures(frames: Frames) -> dict[str, float]:
    """Return mean, standard deviation, share of black and quantiles of the grey values of ``(T, H, W)`` uint8."""
    quantiles = np.percentile(frames, [50, 75, 95, 99])
    figures = {"mean": float(frames.mean()), "sd": float(frames.std()), "black_share": float((frames == 0).mean())}
    return figures | {f"p{q}": float(v) for q, v in zip((50, 75, 95, 99), quantiles, strict=True)}


def spectrum_figures(frames: Frames) -> dict[str, float]:
    """Return how the power of frames ``(T, H, W)`` is spread over spatial frequencies, in cycles a picture.

    The mean over some frames, spread evenly, under a Hann window: ``spectrum_slope``, that of log power over log
    frequency from 4 to 40 cycles, and the shares ``power_low``, ``power_middle`` and ``power_high`` of the three bands.
    """
    height, width = frames.shape[1:]
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    chosen = frames[:: max(1, len(frames) // 8)].astype(np.float32)
    power = (np.abs(np.fft.fft2((chosen - chosen.mean(axis=(1, 2), keepdims=True)) * window)) ** 2).mean(axis=0)
    fy, fx = np.fft.fftfreq(height) * height, np.fft.fftfreq(width) * width
    radius = np.hypot(fy[:, None], fx[None]).round().astype(int).ravel()
    total, count = np.bincount(radius, power.ravel()), np.bincount(radius)
    radial = total / np.maximum(count, 1)
    cycles = np.arange(4, 41)
    slope = np.polyfit(np.log(cycles), np.log(radial[4:41] + 1e-9), 1)[0]
    bands = [total[low:high].sum() for low, high in (LOW_BAND, MIDDLE_BAND, HIGH_BAND)]
    shares = {f"power_{name}": float(b / sum(bands)) for name, b in zip(("low", "middle", "high"), bands, strict=True)}
    return {"spectrum_slope": float(slope), **shares}


def speckle_residue(frames: Frames) -> tuple[Array, Array]:
    """Return ``(residue, tissue)``, each ``(T, H, W)`` float32: grey minus its local mean in bright tissue, else 0."""
    grey = frames.astype(np.float32)
    local = np.stack([cv2.GaussianBlur(frame, (0, 0), 2.5) for frame in grey])
    tissue = (local > TISSUE_GREY).astype(np.float32)
    return (grey - local) * tissue, tissue


def half_width(correlation: Sequence[float]) -> float:
    """Return the lag at which a correlation (lags 0, 1, ...) falls to one half, interpolated; the last if never."""
    for lag in range(1, len(correlation)):
        if correlation[lag] <= 0.5:
            before, after = correlation[lag - 1], correlation[lag]
            return lag - 1 + (before - 0.5) / (before - after)
    return float(len(correlation) - 1)


def lagged(residue: Array, tissue: Array, axis: int, lag: int) -> float:
    """Return the correlation of the residue with itself ``lag`` steps along ``axis``, where both are tissue."""
    size = residue.shape[axis]
    first = np.take(residue, range(size - lag), axis), np.take(tissue, range(size - lag), axis)
    second = np.take(residue, range(lag, size), axis), np.take(tissue, range(lag, size), axis)
    both = first[1] * second[1]
    norm = np.sqrt((first[0] ** 2 * both).sum() * (second[0] ** 2 * both).sum())
    return float((first[0] * second[0]).sum() / max(norm, 1e-6))


def speckle_figures(frames: Frames) -> dict[str, float]:
    """Return the speckle's half-widths of autocorrelation in pixels, spread, and correlation from frame to frame.

    Beams run nearly down the frame in its middle, so there columns are axial and rows lateral.
    """
    middle = slice(frames.shape[2] // 4, 3 * frames.shape[2] // 4)
    residue, tissue = speckle_residue(frames[:: max(1, len(frames) // 12)])
    part, mask = residue[:, :, middle], tissue[:, :, middle]
    widths = {
        name: half_width([lagged(part, mask, axis, lag) for lag in range(7)])
        for name, axis in (("speckle_axial", 1), ("speckle_lateral", 2))
    }
    contrast = float(np.sqrt((residue**2).sum() / max(tissue.sum(), 1)))
    return {**widths, "speckle_sd": contrast, "speckle_lag1": lagged(*speckle_residue(frames), 0, 1)}


def temporal_figures(frames: Frames, fps: float) -> dict[str, float]:
    """Return the correlation of whole frames: one frame apart, and the lowest mean up to 0.6 s apart."""
    flat = frames.reshape(len(frames), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6
    lags = range(1, min(len(frames) - 1, round(0.6 * fps)) + 1)
    table = flat @ flat.T
    curve = [float(np.diagonal(table, lag).mean()) for lag in lags]
    return {"correlation_lag1": curve[0], "correlation_half_beat": min(curve)}


def clip_figures(frames: Frames, fps: float = 50.0) -> dict[str, float]:
    """Return every figure of one clip ``(T, H, W)`` uint8, from its first 64 frames at most."""
    frames = frames[:MOST_FRAMES]
    figures = intensity_figures(frames) | spectrum_figures(frames) | speckle_figures(frames)
    return figures | temporal_figures(frames, fps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure of real clips and of phantoms.

    Attributes:
        real_min: least value of the real clips.
        real_median: median of the real clips.
        real_max: largest value of the real clips.
        phantom_p10: 10th percentile of the phantoms.
        phantom_median: median of the phantoms.
        phantom_p90: 90th percentile of the phantoms.
        share_within: share of the phantoms between ``real_min`` and ``real_max``.
        within: whether the phantoms' median lies there.
    """

    real_min: float
    real_median: float
    real_max: float
    phantom_p10: float
    phantom_median: float
    phantom_p90: float
    share_within: float
    within: bool

    def to_json(self) -> dict[str, float | bool]:
        """Return the fields by name."""
        return asdict(self)


def compare_figures(
    real: Sequence[Mapping[str, float]], phantom: Sequence[Mapping[str, float]]
) -> dict[str, Comparison]:
    """Compare each figure that every real clip and every phantom has."""
    table = {}
    everywhere = set.intersection(*(set(clip) for clip in (*real, *phantom)))
    for key in (key for key in real[0] if key in everywhere):
        found, made = np.array([r[key] for r in real]), np.array([p[key] for p in phantom])
        low, high, middle = float(found.min()), float(found.max()), float(np.median(made))
        table[key] = Comparison(
            real_min=low,
            real_median=float(np.median(found)),
            real_max=high,
            phantom_p10=float(np.percentile(made, 10)),
            phantom_median=middle,
            phantom_p90=float(np.percentile(made, 90)),
            share_within=float(((made >= low) & (made <= high)).mean()),
            within=low <= middle <= high,
        )
    return table


def format_table(table: Mapping[str, Comparison]) -> str:
    """Return the comparison as text, one line a figure."""
    head = f"{'figure':<22}{'real min':>10}{'median':>10}{'max':>10}  |{'phantom p10':>12}{'median':>10}{'p90':>10}"
    lines = [head + f"  {'inside':>7}  median inside"]
    for key, row in table.items():
        real = "".join(f"{value:>10.3f}" for value in (row.real_min, row.real_median, row.real_max))
        made = f"{row.phantom_p10:>12.3f}{row.phantom_median:>10.3f}{row.phantom_p90:>10.3f}"
        lines.append(f"{key:<22}{real}  |{made}  {row.share_within:>6.0%}  {'yes' if row.within else 'NO'}")
    return "\n".join(lines)
