"""Time in clips: the heart rate that a clip shows, and the errors of ED and ES frames found without labels."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from echo_augment.augmentor.data import read_table, read_video
from echo_augment.augmentor.data.phantom import Phantom
from echo_augment.augmentor.data.phantom.rhythm import beats_until
from echo_augment.augmentor.mcdm.hearts import Heart, correlation, find_phase, make_heart, volume_curve
from echo_augment.cache.errors import EchoAugmentError

Values = npt.NDArray[np.float64]
Frames = npt.NDArray[np.uint8]
TEMPI = np.linspace(0.6, 1.6, 101)
FPS = 50.0  # errors are counted in frames at EchoNet-Dynamic's rate


def shown_tempo(clip: Frames, fps: float, volume_at: Callable[[Values], Values]) -> float:
    """How much faster than its donor the heart of a clip beats.

    The clip's own volume curve (:func:`~echo_augment.augmentor.mcdm.hearts.volume_curve`) is held against the donor's,
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
    alike = [np.abs(correlation(seen, volume_at(tempo * seconds))) for tempo in TEMPI]
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


def traced_phase_errors(root: str, *, rate: float, size: int, limit: int) -> dict[str, Any]:
    """Errors of the found ED and ES frames against the traced ones of a folder in EchoNet-Dynamic's layout.

    Only one beat is traced, not necessarily the one that the generator would take: of all beats found in the video
    the nearest ED and the nearest ES count, those that the clip's ends cut, too.

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
    videos: list[dict[str, Any]] = []
    for row in tqdm(rows, desc="traced frames", unit="video", mininterval=1.0):
        try:
            frames, fps = read_video(row.path)
            fps = row.fps if row.fps > 0 else fps
            heart = make_heart(row.name, frames, fps, rate=rate, size=size)
        except EchoAugmentError:
            continue  # the report counts the videos that were used
        traced = list(table.tracings[row.name])  # small (ES) first, large (ED) last
        phase = find_phase(heart.frames, 2 * rate)
        pairs = ((phase.ed_frames, traced[-1]), (phase.es_frames, traced[0]))
        ed, es = (float(np.abs(np.array(at) / (2 * rate) - truth / fps).min()) * FPS for at, truth in pairs)
        found.append((ed, es))
        videos.append({"name": row.name, "ed": ed, "es": es})
    if not found:
        raise EchoAugmentError(f"{root}: no video with traced frames can be read", "Run echo-augment doctor on it")
    return phase_figures(found) | {"videos": videos}


def phase_figures(errors: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Quartiles, 90th percentile and share within 3 frames (at 50 fps) of errors of ED and ES."""
    table = np.asarray(errors)
    return {"n": len(table)} | {
        name: {
            "median": float(np.median(table[:, column])),
            "quartiles": [float(value) for value in np.quantile(table[:, column], (0.25, 0.75))],
            "p90": float(np.quantile(table[:, column], 0.9)),
            "within_3": float((table[:, column] <= 3).mean()),
        }
        for column, name in enumerate(("ed", "es"))
    }
