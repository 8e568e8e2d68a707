"""How far sets of clips are apart: Fréchet distances on any extractor's features, and the overlap of LV masks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.augmentor.mcdm.displacement import carry_masks
from echo_augment.augmentor.mcdm.masks import Masks, dice
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.training_recipes.judging.frechet import Extractor, frechet

from .pairs import Pairs
from .reenacted_report import Figure

Clips = npt.NDArray[np.uint8]
BATCH = 16  # clips whose masks are carried at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Mean Dice of drawn and true LV masks.

    Attributes:
        dice: over all frames.
        dice_ed: at each clip's largest true mask.
        dice_es: at each clip's smallest.
    """

    dice: float
    dice_ed: float
    dice_es: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrechetDistances:
    """Fréchet distances of sets of clips to real ones.

    Attributes:
        distances: by row; ``real``, the distance of other real clips, as many, is the floor.
        extractor: name of what computed the features.
    """

    distances: dict[str, float]
    extractor: str


def frechet_distances(clips: Mapping[str, Clips], extract: Extractor, extractor: str) -> FrechetDistances:
    """Return how far sets of clips are from the appearance donors' own.

    Args:
        clips: by row, ``(N, T, H, W)`` uint8: ``own``, ``donor``, and others.
        extract: gives features.
        extractor: name of it.
    """
    features = {row: extract(stack) for row, stack in clips.items()}
    real = features.pop("own")
    found = {"real" if row == "donor" else row: frechet(values, real) for row, values in features.items()}
    return FrechetDistances(distances=found, extractor=extractor)


def mask_overlap(clips: Clips, truth: Masks, draw: Callable[[Clips], Masks]) -> Overlap:
    """Return how far drawn LV masks agree with the true ones.

    Args:
        clips: ``(N, T, H, W)`` uint8.
        truth: the counterfactuals' masks, ``(N, T, H, W)`` bool.
        draw: a segmenter: masks ``(T, H, W)`` of the frames of a clip.
    """
    found = []
    for clip, true in zip(clips, truth, strict=True):
        drawn = draw(clip)
        sizes = true.reshape(len(true), -1).sum(1)
        frames = np.array([dice(one, two) for one, two in zip(drawn, true, strict=True)])
        found.append((frames.mean(), frames[sizes.argmax()], frames[sizes.argmin()]))
    mean, ed, es = (float(value) for value in np.mean(found, axis=0))
    return Overlap(dice=mean, dice_ed=ed, dice_es=es)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Dice of LV masks carried from the appearance donor's ED frame, on average over the pairs.

    Attributes:
        ed: at the frame of each clip whose true mask is the largest.
        es: at that whose true mask is the smallest.
        still: at that frame, too, of masks that are not carried at all: what carrying gains.
    """

    ed: Figure
    es: Figure
    still: Figure

    @classmethod
    def of(cls, masks: Masks, tracings: Masks, truth: Masks, seed: int = 0) -> "Carried":
        """Measure masks ``(N, T, H, W)``, of tracings ``(N, H, W)``, against true ones ``(N, T, H, W)``."""
        found = np.array([_at_ends(*one) for one in zip(masks, tracings, truth, strict=True)])
        ed, es, still = (Figure.of(column, seed) for column in found.T)
        return cls(ed=ed, es=es, still=still)


def _at_ends(masks: Masks, tracing: Masks, truth: Masks) -> tuple[float, float, float]:
    sizes = truth.reshape(len(truth), -1).sum(1)
    ed, es = int(sizes.argmax()), int(sizes.argmin())
    return dice(masks[ed], truth[ed]), dice(masks[es], truth[es]), dice(tracing, truth[es])


def carried(pipeline: MCDMPipeline, pairs: Pairs, seed: int) -> Carried | None:
    """Carry the true LV mask of each appearance donor's ED frame through its clip, and measure what comes of it.

    Args:
        pipeline: the generator; None is returned for one without a transport, whose clips carry no masks.
        pairs: whose tracings, codes and true masks are taken.
        seed: of the bootstrap of the intervals.
    """
    found: list[npt.NDArray[np.bool_]] = []
    for at in range(0, len(pairs.codes), BATCH):
        part = slice(at, at + BATCH)
        moves = pipeline.displacements(torch.from_numpy(pairs.references[part]), torch.stack(pairs.codes[part]))
        if moves is None:
            return None
        masks = torch.from_numpy(pairs.tracings[part]).to(moves.device)
        found += list(carry_masks(masks, moves).cpu().numpy())
    return Carried.of(np.stack(found), pairs.tracings, pairs.masks, seed)
