"""A video as the generator sees it: frames at its rate, and the ED and ES frames found in the video itself."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.extras import needs

from .flow import grid_weights, pool_flow

with needs("generate"):
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Heart:
    """One video, resampled to twice the generator's rate.

    Attributes:
        name: of the video.
        frames: ``(T, size, size)`` uint8 at twice the generator's rate.
        ed: index of the ED frame in ``frames``.
        es: index of the ES frame in ``frames``.
    """

    name: str
    frames: Frames
    ed: int
    es: int

    @property
    def grid(self) -> npt.NDArray[np.intp]:
        """Indices into ``frames`` at the generator's own frame rate, the ED frame among them."""
        return np.arange(self.ed % 2, len(self.frames), 2)

    @property
    def reference(self) -> Frames:
        """The ED frame ``(size, size)``."""
        return np.asarray(self.frames[self.ed])


REFERENCES = ("ed", "any")


def reference_frame(heart: Heart, kind: str = "ed") -> Frames:
    """Return the frame that shows what a heart looks like, ``(size, size)``.

    Args:
        heart: the video.
        kind: ``ed``: its ED frame; ``any``: one of its frames, drawn by the video's name alone.
    """
    if kind == "ed":
        return heart.reference
    drawn = np.random.default_rng(list(heart.name.encode())).integers(len(heart.frames))
    return np.asarray(heart.frames[drawn])


def resample_indices(count: int, fps: float, rate: float) -> npt.NDArray[np.intp]:
    """Return which of a video's ``count`` frames are nearest to the instants ``0, 1/rate, 2/rate, ...``."""
    wanted = int(np.floor((count - 1) / fps * rate + 1e-6)) + 1
    return np.minimum(np.round(np.arange(wanted) / rate * fps).astype(np.intp), count - 1)


def make_heart(name: str, frames: Frames, fps: float, *, rate: float, size: int) -> Heart:
    """Resample a decoded video to twice the generator's frame rate and its size, and find the ED and ES frames.

    Args:
        name: name of the video.
        frames: ``(T, H, W)`` uint8.
        fps: frames per second of the video.
        rate: frames per second of the generator; twice as many are kept.
        size: side of a frame in pixels.

    Raises:
        EchoAugmentError: fewer than four frames are left, or the frame rate is not positive.

    >>> from echo_augment.augmentor.data.phantom import render, sample_phantom
    >>> phantom = sample_phantom(3)
    >>> clip = render(phantom.motion, phantom.appearance, seed=3)
    >>> heart = make_heart(phantom.name, clip.frames, clip.fps, rate=12.5, size=112)
    >>> heart.reference.shape, heart.ed != heart.es
    ((112, 112), True)
    """
    if not (np.isfinite(fps) and fps > 0):
        raise EchoAugmentError(
            f"video {name!r}: frame rate {fps} is not positive", "Mend the file or FPS in FileList.csv"
        )
    taken = frames[resample_indices(len(frames), fps, 2 * rate)]
    if len(taken) < 4:
        raise EchoAugmentError(f"video {name!r}: {len(frames)} frames at {fps:g} fps are too few to find a beat")
    if taken.shape[1:] != (size, size):
        taken = np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in taken])
    phase = find_phase(taken, 2 * rate)
    return Heart(name, np.ascontiguousarray(taken), phase.ed_frame, phase.es_frame)


Curve = npt.NDArray[np.float64]


# Shares of the frame's height and width in which the ventricles lie in an apical four-chamber view.
CENTRE = ((0.15, 0.70), (0.25, 0.80))
PERIODS = (0.4, 1.5)  # seconds a beat
DRIFT = 2.0  # seconds: slower waves than this, below 30 a minute, are breathing or the probe
SYSTOLE = 0.42  # share of a beat: ED and ES lie at most so far from the fastest contraction between them
CELLS = 5
VENTRICLES = (slice(0, 4), slice(1, 4))  # rows and columns of the grid of cells
BASE = slice(2, 4)  # rows of these
ASCENT = -0.15  # `descent` below which a curve is upside down; no phantom of tests/augmentor/mcdm/test_phase.py is near


@dataclass(frozen=True, slots=True)
class Phase:
    """The beats as seen in the video.

    Attributes:
        volume: a curve ``(T,)`` that rises and falls with the LV's size; no unit.
        ed_frame: index of the end-diastolic frame of the whole beat with the largest contraction.
        es_frame: index of the end-systolic frame of the same beat.
        ed_frames: of every beat found, those that the clip's ends cut, too.
        es_frames: of the same beats.
    """

    volume: Curve
    ed_frame: int
    es_frame: int
    ed_frames: tuple[int, ...]
    es_frames: tuple[int, ...]


def heart_volume(heart: Heart, fps: float) -> Curve:
    """Return `volume_curve` of a heart's frames on its grid, ``(G,)``, turned so that ED is fuller than ES.

    Args:
        heart: the video.
        fps: of its frames.
    """
    curve = volume_curve(heart.frames, fps)
    return (curve if curve[heart.ed] >= curve[heart.es] else -curve)[heart.grid]


def volume_curve(frames: Frames, fps: float) -> Curve:
    """Return a curve ``(T,)`` that follows the LV's size, from ``(T, H, W)`` uint8 frames.

    The first principal component over time of the blurred frames, without what drifts more slowly than any heart
    beats, is the beat; its sign is chosen so that the curve is high where the middle of the image is dark, because
    blood is dark and a full ventricle shows more of it.
    """
    small = np.stack([cv2.resize(frame, (28, 28), interpolation=cv2.INTER_AREA) for frame in frames]).astype(np.float64)
    small = np.sqrt(gaussian_filter1d(small, 0.02 * fps, axis=0))
    rows, columns = (slice(int(28 * low), int(28 * high)) for low, high in CENTRE)
    flat = without_drift(small[:, rows, columns].reshape(len(small), -1), fps)
    curve, darkness = first_component(flat), -flat.mean(1)
    return curve if curve @ darkness >= 0 else -curve


def wall_flow(frames: Frames, fps: float, first: int) -> Curve:
    """Return the optical flow from frame ``first``, pooled on a grid over the ventricles, without drift.

    Returns:
        ``(T, 2, rows, columns)``, x before y, in pixels.
    """
    # The fast preset's coarse flow: finer flow took twice as long, follows speckle, and found real beats less well.
    dense: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    reference = np.ascontiguousarray(frames[first])
    fields = [dense.calc(reference, np.ascontiguousarray(frame), None)[::2, ::2] for frame in frames]
    flow = pool_flow(np.stack(fields).transpose(0, 3, 1, 2), grid_weights(reference[::2, ::2], CELLS))
    cells = flow.reshape(len(flow), 2, CELLS, CELLS)[:, :, *VENTRICLES]
    smooth = gaussian_filter1d(cells.reshape(len(flow), -1).astype(np.float64), 0.02 * fps, axis=0)
    return without_drift(smooth, fps).reshape(cells.shape)


def wall_curve(flow: Curve, volume: Curve) -> Curve:
    """Return a curve ``(T,)`` of how far the walls are from their place at the largest ``volume``, highest there.

    The first principal component of `wall_flow` from that frame. Unlike the image itself it does not see leaflets that
    open and speckle that changes; it is the more exact the smaller the motion, so around ED.
    """
    curve = first_component(flow.reshape(len(flow), -1))
    return curve if curve @ volume >= 0 else -curve


def descent(flow: Curve, volume: Curve) -> float:
    """Return how much the ventricles' base moves away from the apex, which is up, as ``volume`` rises.

    The mean over the base's cells of the vertical motion that goes with the volume, as a share of all motion that does:
    within 0.41 of 0, which is the inverse root of their number. The base of a heart goes down in diastole and comes up
    in systole, so it is negative where empty and full were taken for each other.

    Args:
        flow: as `wall_flow` returns it, in pixels.
        volume: a curve ``(T,)``, in any unit.
    """
    motion = np.tensordot(volume - volume.mean(), flow, 1)
    return float(motion[1, BASE].mean() / max(1e-9, np.sqrt((motion**2).sum())))


def without_drift(signals: Curve, fps: float) -> Curve:
    """Return ``signals (T, N)`` without their mean and the cosine waves over the clip that are slower than `DRIFT`.

    A clip shorter than that cannot tell drift from its only beat: then the mean alone is taken away.
    """
    count = len(signals)
    waves = np.arange(1 + int(2 * count / fps / DRIFT) if count >= fps * DRIFT else 1)
    slow = np.linalg.qr(np.cos(np.pi * (np.arange(count)[:, None] + 0.5) * waves / count))[0]
    return np.asarray(signals - slow @ (slow.T @ signals))


def first_component(signals: Curve) -> Curve:
    """Return the first principal component over time of ``(T, N)`` signals without mean; its sign is arbitrary."""
    left, values, _ = np.linalg.svd(signals, full_matrices=False)
    return np.asarray(left[:, 0] * values[0])


def beat_period(curve: Curve, fps: float) -> float:
    """Return the seconds of a beat: the lag of the curve's largest autocorrelation within `PERIODS`."""
    flat = curve - np.polyval(np.polyfit(np.arange(len(curve)), curve, 1), np.arange(len(curve)))
    lags = np.arange(round(PERIODS[0] * fps), min(round(PERIODS[1] * fps), len(flat) // 2) + 1)
    if not len(lags):
        return len(curve) / fps
    alike = [correlation(flat[lag:], flat[:-lag]) for lag in lags]
    return float(lags[int(np.argmax(alike))] / fps)


def contractions(curve: Curve, fps: float, period: float) -> list[int]:
    """Return the frames where a curve falls fastest, one a beat: at least 0.4 times as fast as in the median beat."""
    fall = -gaussian_filter1d(curve, 0.05 * fps, order=1, mode="nearest")
    peaks = find_peaks(np.concatenate([[0.0], fall, [0.0]]), distance=max(1.0, 0.55 * period * fps))[0] - 1
    return [int(peak) for peak in peaks if fall[peak] > 0.4 * np.median(fall[peaks])]


def find_phase(frames: Frames, fps: float) -> Phase:
    """Find the ED and ES frames of a clip ``(T, H, W)`` uint8 at ``fps`` frames per second.

    What is full and what is empty, the darkness in the middle says (`volume_curve`), unless the heart's base says
    clearly otherwise (`descent`). Each beat has one fastest contraction. ED is where the walls stand farthest out
    shortly before it, so the end of diastasis or of the atrial kick and not any frame of a plateau; ES where the volume
    is least shortly after it.
    """
    volume = volume_curve(frames, fps)
    flow = wall_flow(frames, fps, int(volume.argmax()))
    if descent(flow, volume) < ASCENT:
        volume = -volume
        flow = wall_flow(frames, fps, int(volume.argmax()))
    walls = wall_curve(flow, volume)
    period = beat_period(volume, fps)
    reach, last = max(1, round(SYSTOLE * period * fps)), len(frames) - 1
    found = []
    for fastest in contractions(walls, fps, period):
        start = max(0, fastest - reach)
        ed = start + int(walls[start : fastest + 1].argmax())
        es = fastest + int(volume[fastest : fastest + reach + 1].argmin())
        whole = ed > 0 and es < last
        found.append((whole, float(volume[ed] - volume[es]), ed, es))
    if not found:
        found = [(False, 0.0, int(volume.argmax()), int(volume.argmin()))]
    _, _, ed, es = max(found)
    return Phase(volume, ed, es, tuple(beat[2] for beat in found), tuple(beat[3] for beat in found))


def correlation(one: npt.NDArray[np.floating], two: npt.NDArray[np.floating]) -> float:
    """Return Pearson's correlation of two curves, or pictures row by row, ``(T,)``; 0 where one of them is flat."""
    one, two = one - one.mean(), two - two.mean()
    scale = np.sqrt((one @ one) * (two @ two))
    return float(one @ two / scale) if scale > 1e-12 else 0.0
