"""Does the generator copy its training hearts, and how much of their looks does it reach? By its own re-ID model.

MCDM paints the appearance donor's look by design, so being recognised as that heart is no fault: a clip is too close
only where it is more like the donor's video than two halves of that video are like each other.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from echo_augment.augmentor.data import read_table, read_video
from echo_augment.augmentor.mcdm.hearts import Heart, make_heart
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.reid import embed_clips
from echo_augment.cache.errors import EchoAugmentError

from .pairs import Pairs, generate

Vectors = npt.NDArray[np.float64]
NEIGHBOURS = 3
SAME = 0.95  # a clip closer to a heart than this share of halves of one video are to each other is too close


def looks_of(pipeline: MCDMPipeline, clips: list[npt.NDArray[np.uint8]]) -> Vectors:
    """Unit vectors ``(N, D)`` of clips ``(T, H, W)`` uint8 of any length."""
    found = [embed_clips(pipeline.reid, torch.from_numpy(clip)[None].to(pipeline.reid.device)) for clip in clips]
    return torch.cat(found).double().cpu().numpy()


def training_hearts(root: str, pipeline: MCDMPipeline, limit: int) -> list[Heart]:
    """Up to ``limit`` TRAIN hearts of a folder, spread evenly over its table.

    Raises:
        EchoAugmentError: fewer than 8 can be read.
    """
    rows = read_table(root).split("TRAIN")
    hearts = []
    for i in tqdm(np.unique(np.linspace(0, len(rows) - 1, min(limit, len(rows))).round().astype(int)), desc="TRAIN"):
        row = rows[i]
        try:
            frames, fps = read_video(row.path)
            rate = float(pipeline.config["rate"])
            fps = row.fps if row.fps > 0 else fps
            hearts.append(make_heart(row.name, frames, fps, rate=rate, size=int(pipeline.config["size"])))
        except EchoAugmentError:
            continue  # the report counts the hearts that were used
    if len(hearts) < 8:
        raise EchoAugmentError(f"{root}: only {len(hearts)} TRAIN videos can be read", "Run echo-augment doctor on it")
    return hearts


def recall(points: Vectors, made: Vectors, neighbours: int = NEIGHBOURS) -> float:
    """Share of ``points`` that lie within the manifold of ``made``.

    The manifold is the union of balls around its points, each reaching to the point's ``neighbours``-th nearest other
    (Kynkäänniemi et al., "Improved precision and recall", arXiv 1904.06991). Distances are of unit vectors.
    """
    between = _distances(made, made)
    np.fill_diagonal(between, np.inf)
    reach = np.sort(between, axis=1)[:, min(neighbours, len(made) - 1) - 1]
    return float((_distances(points, made) <= reach[None]).any(1).mean())


def copying(own: Vectors, halves: tuple[Vectors, Vectors], made: Vectors) -> dict[str, float]:
    """Of clips made with the looks of training hearts: are they recognised, and are they too close?

    Args:
        own: looks of the hearts' videos, ``(N, D)`` unit vectors.
        halves: looks of each video's first and second half.
        made: looks of the clips, row i painted with heart i's reference frame.

    Returns:
        ``reached``: share of hearts whose clip lies nearest to its own heart among all; ``too_close``: share of hearts
        whose clip is more like the video than 95 % of halves are like each other; ``limit``: that similarity.
    """
    limit = float(np.quantile((halves[0] * halves[1]).sum(1), SAME))
    alike = made @ own.T
    return {
        "reached": float((alike.argmax(1) == np.arange(len(own))).mean()),
        "too_close": float((np.diag(alike) > limit).mean()),
        "limit": limit,
    }


def coverage(
    pipeline: MCDMPipeline, pairs: Pairs, generated: npt.NDArray[np.uint8], root: str, *, limit: int, **sampling: Any
) -> dict[str, Any]:
    """Coverage and privacy against the TRAIN hearts of ``root``.

    Args:
        pipeline: the generator that they trained.
        pairs: held-out pairs; their motions move the training hearts' looks.
        generated: clips of the held-out pairs, ``(N, T, H, W)``.
        root: the training data's folder.
        limit: hearts at most.
        sampling: ``steps``, ``sampler`` and ``seed`` of :func:`~.pairs.generate`.

    Returns:
        :func:`copying`'s figures; ``recall_generated``: share of the training hearts' looks inside the manifold of
        clips made from as many held-out looks, next to ``recall_real`` of the real held-out clips; ``remembered``:
        share of training hearts to which some held-out pair's clip is too close, though neither donor is that heart.
    """
    hearts = training_hearts(root, pipeline, limit)
    own = looks_of(pipeline, [heart.frames for heart in hearts])
    halves = (
        looks_of(pipeline, [heart.frames[: len(heart.frames) // 2] for heart in hearts]),
        looks_of(pipeline, [heart.frames[len(heart.frames) // 2 :] for heart in hearts]),
    )
    codes = [pairs.codes[i % len(pairs.codes)] for i in range(len(hearts))]
    references = np.stack([heart.reference for heart in hearts])
    made, _, _ = generate(pipeline, references, codes, **sampling)
    figures = copying(own, halves, looks_of(pipeline, list(made)))
    held_out = looks_of(pipeline, list(generated))
    return {
        "hearts": len(hearts),
        **figures,
        "remembered": float(((held_out @ own.T) > figures["limit"]).any(0).mean()),
        "recall_generated": recall(own, held_out),
        "recall_real": recall(own, looks_of(pipeline, list(pairs.clips["own"]))),
    }


def _distances(one: Vectors, two: Vectors) -> Vectors:
    return np.sqrt(np.clip(2 - 2 * one @ two.T, 0, None))
