"""Time in clips: the heart rate that a clip shows, and the errors of ED and ES frames found without labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.layouts.finding import DataFolder
from echo_augment.augmentor.data.phantom import Phantom
from echo_augment.augmentor.data.phantom.rhythm import beats_until
from echo_augment.augmentor.mcdm.donors import hearts
from echo_augment.augmentor.mcdm.phase import Heart, correlation, find_phase, volume_curve
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.progress import follow
from echo_augment.training_recipes.common.contact_sheet import spread

Values = npt.NDArray[np.float64]
Frames = npt.NDArray[np.uint8]
TEMPI = np.linspace(0.6, 1.6, 101)
ECHONET_FPS = 50.0  # errors are counted in frames at EchoNet-Dynamic's rate


@dataclass(frozen=True, slots=True, kw_only=True)
class RateError:
    """Error of the heart rate that clips show.

    Attributes:
        mae: mean absolute error in beats a minute.
        bias: mean of shown minus true, in beats a minute.
        within_10: share of clips at most 10 % off.
    """

    mae: float
    bias: float
    within_10: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseError:
    """How far off the found ED (or ES) frames are, in frames at 50 fps.

    Attributes:
        median: error.
        quartiles: first and third.
        p90: 90th percentile.
        within_3: share of videos at most 3 frames off.
    """

    median: float
    quartiles: tuple[float, float]
    p90: float
    within_3: float

    @classmethod
    def of(cls, errors: Values) -> "PhaseError":
        """Return the figures of errors ``(N,)`` in frames."""
        first, median, third, p90 = (float(value) for value in np.quantile(errors, (0.25, 0.5, 0.75, 0.9)))
        return cls(median=median, quartiles=(first, third), p90=p90, within_3=float((errors <= 3).mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedVideo:
    """Errors of the ED and ES frame found in one traced video, in frames at 50 fps."""

    name: str
    ed: float
    es: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseErrors:
    """Errors of the ED and ES frames found in videos.

    Attributes:
        n: videos.
        ed: errors of the ED frames.
        es: errors of the ES frames.
        videos: the errors of each video; None for phantoms.
    """

    n: int
    ed: PhaseError
    es: PhaseError
    videos: list[TracedVideo] | None = None


def shown_tempo(clip: Frames, fps: float, volume_at: Callable[[Values], Values]) -> float:
    """Return how much faster than its donor's the heart of a clip beats, in [0.6, 1.6]; 1 for the same heart rate.

    The clip's own volume curve (:func:`~echo_augment.augmentor.mcdm.phase.volume_curve`) is held against the donor's,
    sped up or slowed down from the clip's first frame on; the tempo with the largest correlation is shown.

    Args:
        clip: ``(T, H, W)`` uint8.
        fps: frames per second.
        volume_at: the donor's LV volume as a function of the seconds after the clip's first frame.
    """
    seen = volume_curve(clip, fps)
    seconds = np.arange(len(clip)) / fps
    alike = [np.abs(correlation(seen, volume_at(tempo * seconds))) for tempo in TEMPI]
    # The plainest explanation first: of equal correlations, as of a still clip, the one nearest to 1.
    best = np.flatnonzero(np.array(alike) >= np.max(alike) - 1e-9)
    return float(TEMPI[best[np.abs(TEMPI[best] - 1).argmin()]])


def rate_error(tempi: Values, heart_rates: Values) -> RateError:
    """Return the error of shown heart rates.

    Args:
        tempi: shown over true heart rate, ``(N,)``.
        heart_rates: true ones, in beats a minute, ``(N,)``.
    """
    error = (tempi - 1) * heart_rates
    return RateError(
        mae=float(np.abs(error).mean()),
        bias=float(error.mean()),
        within_10=float((np.abs(tempi - 1) <= 0.1).mean()),
    )


def phantom_phase_error(phantom: Phantom, heart: Heart, fps: float) -> tuple[float, float]:
    """Return the frames at 50 fps from the found ED and ES frame to the nearest true one of any beat.

    Args:
        phantom: the heart.
        heart: its recording as the generator sees it.
        fps: the generator's frames per second.
    """
    beats = beats_until(phantom.motion, len(heart.frames) / (2 * fps))
    ed = beats.start
    es = ed + beats.systole * beats.length
    found = np.array([heart.ed, heart.es]) / (2 * fps)
    errors = [np.abs(truth - at).min() for truth, at in zip((ed, es), found, strict=True)]
    return float(errors[0] * ECHONET_FPS), float(errors[1] * ECHONET_FPS)


def traced_phase_errors(root: DataFolder, *, fps: float, image_size: int, limit: int) -> PhaseErrors:
    """Return the errors of the found ED and ES frames against the traced ones of a dataset.

    Only one beat is traced, not necessarily the one that the generator would take: of all beats found in the video
    the nearest ED and the nearest ES count, also those that the clip's ends cut.

    Args:
        root: the dataset; all splits count, since nothing is trained here.
        fps: the generator's frames per second.
        image_size: side of a frame in pixels.
        limit: videos at most, spread evenly over the table.

    Raises:
        EchoAugmentError: no video with tracings can be read.
    """
    table = read_table(root)
    rows = [row for row in table.rows if len(table.tracings.get(row.name, {})) >= 2]
    videos = []
    chosen = [rows[place] for place in spread(len(rows), limit)]
    read = hearts(chosen, rate=fps, size=image_size)
    for row, found in follow(read, "traced frames", unit="video", total=len(chosen)):
        if isinstance(found, EchoAugmentError):
            continue  # the report counts the videos that were used
        heart, video_fps = found
        traced = list(table.tracings[row.name])  # small (ES) first, large (ED) last
        ed, es = frame_errors(heart, fps, traced[-1] / video_fps, traced[0] / video_fps)
        videos.append(TracedVideo(name=row.name, ed=ed, es=es))
    if not videos:
        raise EchoAugmentError(
            f"{table.root}: no video with traced frames can be read", "Run echo-augment doctor on it"
        )
    return phase_errors([(video.ed, video.es) for video in videos], videos)


def frame_errors(heart: Heart, fps: float, ed: float, es: float) -> tuple[float, float]:
    """Return the frames at 50 fps from stated ED and ES to the nearest that is found in the video without labels.

    Args:
        heart: the video as a generator sees it.
        fps: frames per second of that generator.
        ed: seconds from the start to the stated ED frame.
        es: to the stated ES frame.
    """
    phase = find_phase(heart.frames, 2 * fps)
    pairs = ((phase.ed_frames, ed), (phase.es_frames, es))
    at_ed, at_es = (float(np.abs(np.array(at) / (2 * fps) - truth).min()) * ECHONET_FPS for at, truth in pairs)
    return at_ed, at_es


def phase_errors(errors: Sequence[tuple[float, float]], videos: list[TracedVideo] | None = None) -> PhaseErrors:
    """Return the figures of errors of ED and ES frames.

    Args:
        errors: of ED and ES of each video, in frames at 50 fps.
        videos: the same with names, kept.
    """
    ed, es = np.asarray(errors, np.float64).T
    return PhaseErrors(n=len(errors), ed=PhaseError.of(ed), es=PhaseError.of(es), videos=videos)
