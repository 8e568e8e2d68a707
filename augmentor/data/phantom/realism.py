"""Figures of how a clip looks, the same for real clips and phantoms: histogram, spectrum, speckle, change over time."""

from collections.abc import Mapping, Sequence
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
    """Mean, standard deviation, share of black pixels and quantiles of all grey values of ``(T, H, W)`` uint8."""
    quantiles = np.percentile(frames, [50, 75, 95, 99])
    figures = {"mean": float(frames.mean()), "sd": float(frames.std()), "black_share": float((frames == 0).mean())}
    return figures | {f"p{q}": float(v) for q, v in zip((50, 75, 95, 99), quantiles, strict=True)}


def spectrum_figures(frames: Frames) -> dict[str, float]:
    """Radial power spectrum of Hann-windowed frames ``(T, H, W)``: log-log slope over 4 to 40 cycles, band shares."""
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
    """``(residue, tissue)``, each ``(T, H, W)`` float32: grey minus its local mean, in bright tissue; 0 elsewhere."""
    grey = frames.astype(np.float32)
    local = np.stack([cv2.GaussianBlur(frame, (0, 0), 2.5) for frame in grey])
    tissue = (local > TISSUE_GREY).astype(np.float32)
    return (grey - local) * tissue, tissue


def half_width(correlation: Sequence[float]) -> float:
    """Lag at which a correlation (lags 0, 1, ...) first falls to one half, interpolated; the last lag if never."""
    for lag in range(1, len(correlation)):
        if correlation[lag] <= 0.5:
            before, after = correlation[lag - 1], correlation[lag]
            return lag - 1 + (before - 0.5) / (before - after)
    return float(len(correlation) - 1)


def lagged(residue: Array, tissue: Array, axis: int, lag: int) -> float:
    """Correlation of the residue with itself ``lag`` steps along ``axis``, over places where both are tissue."""
    size = residue.shape[axis]
    first = np.take(residue, range(size - lag), axis), np.take(tissue, range(size - lag), axis)
    second = np.take(residue, range(lag, size), axis), np.take(tissue, range(lag, size), axis)
    both = first[1] * second[1]
    norm = np.sqrt((first[0] ** 2 * both).sum() * (second[0] ** 2 * both).sum())
    return float((first[0] * second[0]).sum() / max(norm, 1e-6))


def speckle_figures(frames: Frames) -> dict[str, float]:
    """Speckle inside tissue: half-widths of its autocorrelation in pixels, and its correlation from frame to frame.

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
    """Correlation of whole frames ``(T, H, W)``: one frame apart, and the lowest mean correlation up to 0.6 s apart."""
    flat = frames.reshape(len(frames), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6
    lags = range(1, min(len(frames) - 1, round(0.6 * fps)) + 1)
    table = flat @ flat.T
    curve = [float(np.diagonal(table, lag).mean()) for lag in lags]
    return {"correlation_lag1": curve[0], "correlation_half_beat": min(curve)}


def look_figures(frames: Frames, fps: float = 50.0) -> dict[str, float]:
    """Every figure of one clip ``(T, H, W)`` uint8; at most the first 64 frames are looked at."""
    frames = frames[:MOST_FRAMES]
    figures = intensity_figures(frames) | spectrum_figures(frames) | speckle_figures(frames)
    return figures | temporal_figures(frames, fps)


def compare_figures(
    real: Sequence[Mapping[str, float]], phantom: Sequence[Mapping[str, float]]
) -> dict[str, dict[str, float | bool]]:
    """Per figure: least and largest of the real clips, quantiles of the phantoms, and how many lie in between.

    Returns:
        ``{figure: {real_min, real_median, real_max, phantom_p10, phantom_median, phantom_p90, share_within, within}}``;
        ``within`` says whether the phantoms' median lies between the real clips' least and largest value.
    """
    table: dict[str, dict[str, float | bool]] = {}
    for key in real[0]:
        found, made = np.array([r[key] for r in real]), np.array([p[key] for p in phantom])
        low, high, middle = float(found.min()), float(found.max()), float(np.median(made))
        table[key] = {
            "real_min": low,
            "real_median": float(np.median(found)),
            "real_max": high,
            "phantom_p10": float(np.percentile(made, 10)),
            "phantom_median": middle,
            "phantom_p90": float(np.percentile(made, 90)),
            "share_within": float(((made >= low) & (made <= high)).mean()),
            "within": low <= middle <= high,
        }
    return table


def format_table(table: Mapping[str, Mapping[str, float | bool]]) -> str:
    """The comparison as text, one line a figure."""
    head = f"{'figure':<22}{'real min':>10}{'median':>10}{'max':>10}  |{'phantom p10':>12}{'median':>10}{'p90':>10}"
    lines = [head + f"  {'inside':>7}  median inside"]
    for key, row in table.items():
        values = [float(row[k]) for k in ("real_min", "real_median", "real_max")]
        made = [float(row[k]) for k in ("phantom_p10", "phantom_median", "phantom_p90")]
        text = f"{key:<22}" + "".join(f"{v:>10.3f}" for v in values)
        text += f"  |{made[0]:>12.3f}" + "".join(f"{v:>10.3f}" for v in made[1:])
        lines.append(f"{text}  {float(row['share_within']):>6.0%}  {'yes' if row['within'] else 'NO'}")
    return "\n".join(lines)
