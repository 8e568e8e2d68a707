"""How far sets of clips are apart: Fréchet distances on any extractor's features, and the overlap of LV masks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.mcdm.masks import Masks, dice
from echo_augment.training_recipes.judging.frechet import Extractor, frechet

Clips = npt.NDArray[np.uint8]


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
