"""Pairs of two videos, motion of one x appearance of the other: what can be told of them without a true answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import VideoInfo
from echo_augment.augmentor.mcdm.masks import dice
from echo_augment.augmentor.mcdm.phase import beat_period
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.predictors import EFPredictor, Segmenter
from echo_augment.cache import EchoClip
from echo_augment.training_recipes.judging.excerpts import Excerpt, cycle_error, read_back

from .beats import RateError, rate_error, shown_tempo
from .coverage import appearances_of
from .reenacted_report import Figure

Clips = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoPairs:
    """Clips of two videos each, and these.

    Attributes:
        donor: number of the motion donor of each clip, ``(N,)``; clip i has the appearance of video i.
        motion: the motion donors' own clips, ``(N, T, H, W)`` uint8.
        appearance: the appearance donors' own, likewise.
        clips: the generator's.
    """

    donor: npt.NDArray[np.intp]
    motion: Clips
    appearance: Clips
    clips: Clips


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFigures:
    """What pairs show.

    Attributes:
        cycle: error of the motion code read back from the clip, 0 none, 1 as of a still one.
        heart_rate: of the clip against the motion donor's.
        reid_own: re-ID's cosine of the clip and its appearance donor's video.
        reid_others: of the clip and the other videos, the mean.
        reid_nearest: share of clips that are nearest to their appearance donor.
        ef_gap: absolute difference of the teacher's EF of the clip and of the motion donor's own clip, in EF points;
            None without a teacher.
        ef_error: of the teacher's EF of the clip and the motion donor's label, where it has one; None likewise.
    """

    cycle: Figure
    heart_rate: RateError
    reid_own: Figure
    reid_others: Figure
    reid_nearest: float
    ef_gap: Figure | None = None
    ef_error: Figure | None = None


def pair_figures(
    pipeline: MCDMPipeline,
    pairs: VideoPairs,
    excerpts: Sequence[Excerpt],
    videos: Sequence[VideoInfo],
    teacher: EFPredictor | None,
    seed: int,
) -> PairFigures:
    """Measure pairs.

    Args:
        pipeline: the generator, for codes and re-ID.
        pairs: clips of excerpt ``pairs.donor[i]``'s motion in excerpt i's appearance.
        excerpts: of the videos.
        videos: in the same order, for their EF.
        teacher: reads EF; None for none.
        seed: of the intervals.
    """
    fps = float(pipeline.config["rate"])
    donors = [excerpts[i] for i in pairs.donor]
    cycle = [
        cycle_error(read_back(pipeline, clip, one.reference), donor.codes, donor.rest)
        for clip, one, donor in zip(pairs.clips, excerpts, donors, strict=True)
    ]
    tempi = np.array([tempo(clip, donor, fps) for clip, donor in zip(pairs.clips, donors, strict=True)])
    rates = np.array([60 / beat_period(donor.volume, fps) for donor in donors])
    alike = appearances_of(pipeline, list(pairs.clips)) @ appearances_of(pipeline, list(pairs.appearance)).T
    own = np.diag(alike)
    others = (alike.sum(1) - own) / (len(alike) - 1)
    gap = error = None
    if teacher is not None:
        read, true = (teacher([echo(clip, fps) for clip in stack]) for stack in (pairs.clips, pairs.motion))
        gap = Figure.of(np.abs(read - true), seed)
        labels = np.array([videos[i].ef for i in pairs.donor])
        known = ~np.isnan(labels)
        error = Figure.of(np.abs(read - labels)[known], seed) if known.any() else None
    return PairFigures(
        cycle=Figure.of(np.array(cycle), seed),
        heart_rate=rate_error(tempi, rates),
        reid_own=Figure.of(own, seed),
        reid_others=Figure.of(others, seed),
        reid_nearest=float((alike.argmax(1) == np.arange(len(alike))).mean()),
        ef_gap=gap,
        ef_error=error,
    )


def tempo(clip: Clips, donor: Excerpt, fps: float) -> float:
    """Return how much faster than its motion donor a clip ``(T, H, W)`` beats; see `shown_tempo`."""
    at = np.arange(len(donor.volume), dtype=np.float64)
    return shown_tempo(clip, fps, lambda seconds: np.interp(donor.start + seconds * fps, at, donor.volume))


def echo(clip: Clips, fps: float) -> EchoClip:
    """Return frames ``(T, H, W)`` as a clip without a label."""
    return EchoClip("clip", clip, fps)


def mask_agreement(clips: Mapping[str, Clips], segmenter: Segmenter, seed: int) -> dict[str, Figure]:
    """Return, by row, the Dice of a segmenter's masks on re-enacted clips with those on the videos themselves.

    Args:
        clips: by row, ``(N, T, H, W)``; the videos' own as ``video``.
        segmenter: draws the masks.
        seed: of the intervals.
    """
    true = [segmenter(clip) for clip in clips["video"]]
    found = {}
    for row, stack in clips.items():
        if row != "video":
            drawn = [segmenter(clip) for clip in stack]
            values = [
                np.mean([dice(one, two) for one, two in zip(mine, theirs, strict=True)])
                for mine, theirs in zip(drawn, true, strict=True)
            ]
            found[row] = Figure.of(np.array(values), seed)
    return found
