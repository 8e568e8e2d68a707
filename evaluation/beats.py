"""Time in clips: the heart rate that a clip shows, and the errors of ED and ES frames found without labels."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from echo_augment.augmentor.data import read_table, read_video
from echo_augment.augmentor.data.phantom import Phantom
from echo_augment.augmentor.data.phantom.rhythm import beats_until
from echo_augment.augmentor.mcdm.hearts import Heart, make_heart
from echo_augment.augmentor.mcdm.phase import volume_curve
from echo_augment.cache.errors import EchoAugmentError

Values = npt.NDArray[np.float64]
Frames = npt.NDArray[np.uint8]
TEMPI = np.linspace(0.6, 1.6, 101)
FPS = 50.0  # errors are counted in frames at EchoNet-Dynamic's rate
PERIODS = (0.4, 1.5)  # seconds a beat


def shown_tempo(clip: Frames, fps: float, volume_at: Callable[[Values], Values]) -> float:
    """How much faster than its donor the heart of a clip beats.

    The clip's own volume curve (:func:`~echo_augment.augmentor.mcdm.phase.volume_curve`) is held against the donor's,
    sped up or slowed down from the clip's first frame on; the tempo with the largest correlation is shown.

    Args:
        clip: ``(T, H, W)`` uint8.
        fps: its frames per second.
        volume_at: the donor's LV volume at some seconds after the clip's first frame.

    Returns:
        1 for the donor's own heart rate, in [0.6, 1.6].
    """
    seen = volume_curve(clip, fps)
    seconds = np.arange(len(clip)) / fps
    alike = [np.abs(_correlation(seen, volume_at(tempo * seconds))) for tempo in TEMPI]
    # The plainest explanation first: of equal correlations, as of a still clip, the one nearest to 1.
    best = np.flatnonzero(np.array(alike) >= np.max(alike) - 1e-9)
    return float(TEMPI[best[np.abs(TEMPI[best] - 1).argmin()]])


def rate_error(tempi: Values, heart_rates: Values) -> dict[str, float]:
    """``mae`` and ``bias`` of the shown heart rate in beats a minute, and the share ``within_10`` per cent."""
    error = (tempi - 1) * heart_rates
    return {
        "mae": float(np.abs(error).mean()),
        "bias": float(error.mean()),
        "within_10": float((np.abs(tempi - 1) <= 0.1).mean()),
    }


def phantom_phase_error(phantom: Phantom, heart: Heart, rate: float) -> tuple[float, float]:
    """Frames at 50 fps from the found ED and ES frame to the nearest true one of any beat.

    Args:
        phantom: the heart.
        heart: as the generator sees it.
        rate: the generator's frames per second.
    """
    beats = beats_until(phantom.motion, len(heart.frames) / (2 * rate))
    ed = beats.start
    es = ed + beats.systole * beats.length
    found = np.array([heart.ed, heart.es]) / (2 * rate)
    errors = [np.abs(truth - at).min() for truth, at in zip((ed, es), found, strict=True)]
    return float(errors[0] * FPS), float(errors[1] * FPS)


def beat_period(curve: Values, fps: float) -> float:
    """Seconds a beat: the lag of the volume curve's largest autocorrelation between 0.4 and 1.5 s."""
    flat = curve - np.polyval(np.polyfit(np.arange(len(curve)), curve, 1), np.arange(len(curve)))
    lags = np.arange(round(PERIODS[0] * fps), min(round(PERIODS[1] * fps), len(flat) // 2) + 1)
    if not len(lags):
        return len(curve) / fps
    alike = [_correlation(flat[lag:], flat[:-lag]) for lag in lags]
    return float(lags[int(np.argmax(alike))] / fps)


def fold(difference: float, period: float) -> float:
    """A difference in time to the nearest beat: within half a period of 0. Any beat's ED frame is a good one."""
    return (difference + period / 2) % period - period / 2


def traced_phase_errors(root: str, *, rate: float, size: int, limit: int) -> dict[str, Any]:
    """Errors of the found ED and ES frames against the traced ones of a folder in EchoNet-Dynamic's layout.

    Only one beat is traced, and the found frame may lie in another: differences are folded by the beat's period.

    Args:
        root: of the data set; all splits count, since nothing is trained here.
        rate: the generator's frames per second.
        size: side of a frame in pixels.
        limit: videos at most, spread evenly over the table.

    Raises:
        EchoAugmentError: no video with tracings that can be read.
    """
    table = read_table(root)
    rows = [row for row in table.rows if len(table.tracings.get(row.name, {})) >= 2]
    rows = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, min(limit, len(rows))).round().astype(int))]
    found: list[tuple[float, float]] = []
    for row in tqdm(rows, desc="traced frames", unit="video", mininterval=1.0):
        try:
            frames, fps = read_video(row.path)
            fps = row.fps if row.fps > 0 else fps
            heart = make_heart(row.name, frames, fps, rate=rate, size=size)
        except EchoAugmentError:
            continue  # the report counts the videos that were used
        traced = list(table.tracings[row.name])  # small (ES) first, large (ED) last
        period = beat_period(volume_curve(heart.frames, 2 * rate), 2 * rate)
        pairs = ((heart.ed, traced[-1]), (heart.es, traced[0]))
        ed, es = (abs(fold(at / (2 * rate) - truth / fps, period)) * FPS for at, truth in pairs)
        found.append((ed, es))
    if not found:
        raise EchoAugmentError(f"{root}: no video with traced frames can be read", "Run echo-augment doctor on it")
    return phase_figures(found)


def phase_figures(errors: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Median, 90th percentile and share within 3 frames (at 50 fps) of errors of ED and ES."""
    table = np.asarray(errors)
    return {"n": len(table)} | {
        name: {
            "median": float(np.median(table[:, column])),
            "p90": float(np.quantile(table[:, column], 0.9)),
            "within_3": float((table[:, column] <= 3).mean()),
        }
        for column, name in enumerate(("ed", "es"))
    }


def _correlation(one: Values, two: Values) -> float:
    one, two = one - one.mean(), two - two.mean()
    scale = np.sqrt((one @ one) * (two @ two))
    return float(one @ two / scale) if scale > 1e-12 else 0.0
