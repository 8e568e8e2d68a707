"""Does the generator copy its TRAIN videos, and how much of their appearance does it reach? By its own re-ID model.

MCDM paints the appearance donor by design, so being recognised as that patient is no fault: a clip is too close only
where it is more like the donor's video than two halves of that video are like each other.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.layouts.finding import DataFiles, find_files
from echo_augment.augmentor.mcdm.donors import hearts
from echo_augment.augmentor.mcdm.phase import Heart
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.reid import embed_clips
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.progress import follow
from echo_augment.training_recipes.common.contact_sheet import spread
from echo_augment.training_recipes.judging.sampling import Sampling, generate

from .pairs import Pairs

Clips = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float64]
NEIGHBOURS = 3
SAME = 0.95  # a clip closer to a video than this share of halves of one video are to each other is too close
LEAST_VIDEOS = 8  # of TRAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """Clips painted with the appearance of TRAIN videos, held against these videos.

    Attributes:
        reached: share of videos whose clip lies nearer to its own video than to any other.
        too_close: share of videos whose clip is more like the video than 95 % of halves are like each other.
        limit: that similarity, a cosine.
    """

    reached: float
    too_close: float
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Coverage and privacy against TRAIN videos.

    Attributes:
        hearts: TRAIN videos that were used.
        reached: see `Copying`.
        too_close: likewise.
        limit: likewise.
        remembered: share of TRAIN videos to which some held-out pair's clip is too close, though neither donor is it.
        recall_generated: share of TRAIN videos inside the manifold of clips made from as many held-out donors.
        recall_real: the same of the real held-out clips.
    """

    hearts: int
    reached: float
    too_close: float
    limit: float
    remembered: float
    recall_generated: float
    recall_real: float


def appearances_of(pipeline: MCDMPipeline, clips: list[Clips]) -> Vectors:
    """Return the re-ID model's unit vectors ``(N, D)`` of clips ``(T, H, W)`` uint8 of any length."""
    found = [embed_clips(pipeline.reid, torch.from_numpy(clip)[None].to(pipeline.reid.device)) for clip in clips]
    return torch.cat(found).cpu().double().numpy()


def unlabelled(root: str) -> DataFiles:
    """Return the tables of a dataset whose EF nobody reads, in whatever unit it is."""
    return find_files(root, ef_unit="percent")


def training_videos(root: str, pipeline: MCDMPipeline, limit: int) -> list[Heart]:
    """Return up to ``limit`` TRAIN videos of a dataset, spread evenly over its table, as the generator sees them.

    Raises:
        EchoAugmentError: fewer than 8 can be read.
    """
    rows = read_table(unlabelled(root)).split("TRAIN")
    fps, image_size = float(pipeline.config["rate"]), int(pipeline.config["size"])
    chosen = [rows[place] for place in spread(len(rows), limit)]
    read = follow(hearts(chosen, rate=fps, size=image_size), "TRAIN", unit="video", total=len(chosen))
    # The report counts the videos that were used.
    videos = [found[0] for _, found in read if not isinstance(found, EchoAugmentError)]
    if len(videos) < LEAST_VIDEOS:
        raise EchoAugmentError(f"{root}: only {len(videos)} TRAIN videos can be read", "Run echo-augment doctor on it")
    return videos


def recall(points: Vectors, made: Vectors, neighbours: int = NEIGHBOURS) -> float:
    """Return the share of ``points`` that lie within the manifold of ``made``.

    The manifold is the union of balls around its points, each reaching to the point's ``neighbours``-th nearest other
    (Kynkäänniemi et al., "Improved precision and recall", arXiv 1904.06991).

    Args:
        points: unit vectors ``(N, D)``.
        made: unit vectors ``(M, D)``.
        neighbours: how far the balls reach.
    """
    between = _distances(made, made)
    np.fill_diagonal(between, np.inf)
    reach = np.sort(between, axis=1)[:, min(neighbours, len(made) - 1) - 1]
    return float((_distances(points, made) <= reach[None]).any(1).mean())


def copying(own: Vectors, halves: tuple[Vectors, Vectors], made: Vectors) -> Copying:
    """Return whether clips painted with the appearance of TRAIN videos are recognised, and whether they are too close.

    Args:
        own: unit vectors of the videos, ``(N, D)``.
        halves: of each video's first and second half.
        made: of the clips; row i was painted with video i's reference frame.
    """
    limit = float(np.quantile((halves[0] * halves[1]).sum(1), SAME))
    alike = made @ own.T
    return Copying(
        reached=float((alike.argmax(1) == np.arange(len(own))).mean()),
        too_close=float((np.diag(alike) > limit).mean()),
        limit=limit,
    )


def coverage(
    pipeline: MCDMPipeline, pairs: Pairs, generated: Clips, root: str, *, limit: int, sampling: Sampling
) -> Coverage:
    """Measure coverage and privacy against the TRAIN videos of a dataset.

    Args:
        pipeline: the generator that they trained.
        pairs: held-out pairs; their motions move the TRAIN videos' reference frames.
        generated: clips of the held-out pairs, ``(N, T, H, W)``.
        root: folder of the dataset.
        limit: TRAIN videos at most.
        sampling: how clips are generated.

    Raises:
        EchoAugmentError: no data set at ``root``, or fewer than 8 of its TRAIN videos can be read.
    """
    videos = training_videos(root, pipeline, limit)
    own = appearances_of(pipeline, [video.frames for video in videos])
    halves = (
        appearances_of(pipeline, [video.frames[: len(video.frames) // 2] for video in videos]),
        appearances_of(pipeline, [video.frames[len(video.frames) // 2 :] for video in videos]),
    )
    codes = [pairs.codes[i % len(pairs.codes)] for i in range(len(videos))]
    made = generate(pipeline, np.stack([video.reference for video in videos]), codes, sampling)
    found = copying(own, halves, appearances_of(pipeline, list(made.clips)))
    held_out = appearances_of(pipeline, list(generated))
    return Coverage(
        hearts=len(videos),
        reached=found.reached,
        too_close=found.too_close,
        limit=found.limit,
        remembered=float(((held_out @ own.T) > found.limit).any(0).mean()),
        recall_generated=recall(own, held_out),
        recall_real=recall(own, appearances_of(pipeline, list(pairs.clips["own"]))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What of `Coverage` needs no donor: clips and real held-out videos against TRAIN videos; fields as there."""

    hearts: int
    limit: float
    remembered: float
    recall_generated: float
    recall_real: float


def remembering(pipeline: MCDMPipeline, clips: list[Clips], held_out: list[Clips], root: str, limit: int) -> Remembered:
    """Measure, by a generator's re-ID model, whether clips of unknown donors repeat a dataset's TRAIN videos.

    Args:
        pipeline: the generator.
        clips: ``(T, H, W)`` uint8 each.
        held_out: real videos likewise; as many of both are used for the recall.
        root: folder of the dataset.
        limit: TRAIN videos at most.

    Raises:
        EchoAugmentError: no data set at ``root``, or fewer than 8 of its TRAIN videos can be read.
    """
    videos = training_videos(root, pipeline, limit)
    own = appearances_of(pipeline, [video.frames for video in videos])
    halves = [
        appearances_of(pipeline, [part(video.frames) for video in videos])
        for part in (lambda frames: frames[: len(frames) // 2], lambda frames: frames[len(frames) // 2 :])
    ]
    most = float(np.quantile((halves[0] * halves[1]).sum(1), SAME))
    made, real = appearances_of(pipeline, clips), appearances_of(pipeline, held_out)
    count = min(len(made), len(real))
    return Remembered(
        hearts=len(videos),
        limit=most,
        remembered=float(((made @ own.T) > most).any(0).mean()),
        recall_generated=recall(own, made[:count]),
        recall_real=recall(own, real[:count]),
    )


def recognised(pipeline: MCDMPipeline, generated: Clips, references: Clips) -> float:
    """Return the share of clips whose mean re-ID embedding lies nearest to their own reference frame's.

    Args:
        pipeline: the generator, for its re-ID model.
        generated: ``(N, T, H, W)`` uint8.
        references: ``(N, H, W)`` uint8; row i was painted in clip i.
    """
    device = pipeline.reid.device
    with torch.no_grad():
        frames = pipeline.reid(torch.from_numpy(references)[:, None].to(device).float() / 255)
        made = torch.stack(
            [pipeline.reid(torch.from_numpy(clip)[:, None].to(device).float() / 255).mean(0) for clip in generated]
        )
    return float(((made @ frames.T).argmax(1).cpu() == torch.arange(len(frames))).float().mean())


def _distances(one: Vectors, two: Vectors) -> Vectors:
    return np.sqrt(np.clip(2 - 2 * one @ two.T, 0, None))
