"""LV masks that ride on a clip's displacement, against the exact counterfactual's own."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.augmentor.mcdm.displacement import carry_masks
from echo_augment.augmentor.mcdm.masks import Masks, dice
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline

from .pairs import Pairs
from .reenacted_report import Figure

BATCH = 16


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
