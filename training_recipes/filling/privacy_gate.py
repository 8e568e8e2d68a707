"""The privacy gate: does a clip show a heart of TRAIN that it should not show?

MCDM paints the *appearance donor's* look by design: the donor's end-diastolic frame is its input. So a clip is expected
to be recognised as its appearance donor, and no gate makes such a clip anonymous. What the gate can do:

- ``against=others`` rejects clips that look like any *other* TRAIN heart, the motion donor above all: a generator that
  has learned hearts by heart, or whose motion code carries the look along. For a cache that stays in the house.
- ``against=all`` also rejects clips that look like their own appearance donor. For a cache that leaves the house; it
  rejects most clips of a good generator, and what passes is only not recognised by *this* re-ID model.

"Looks like" is more alike than real, different hearts are: the limit is a quantile of the similarities of VAL hearts to
their nearest TRAIN heart, in the manner of Dar et al., "Unconditional latent diffusion models memorize patient imaging
data" (arXiv 2402.01054). With the 0.99 quantile, 1 % of real, unrelated hearts would be rejected as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from echo_augment.augmentor.data import VideoInfo
from echo_augment.augmentor.mcdm.reid import embed_clips
from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.errors import EchoAugmentError

from ..common.dataset import heart_clips
from .readings import Readings, spread

Frames = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]
Look = Callable[[Sequence[Frames]], Array]
NO_HEARTS = "Give gates.privacy.threshold=NUMBER in [-1, 1], or a data set with VAL videos"


def look_by(reid: Callable[[Tensor], Tensor], device: str | torch.device) -> Look:
    """A function from clips ``(T, H, W)`` uint8 of one shape to unit vectors ``(B, D)`` by a re-ID model."""

    def look(clips: Sequence[Frames]) -> Array:
        batch = torch.from_numpy(np.stack(clips)).to(device)
        return embed_clips(reid, batch).double().cpu().numpy()

    return look


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Looks of real hearts.

    Attributes:
        names: of the hearts.
        vectors: unit vectors ``(N, D)``.
    """

    names: tuple[str, ...]
    vectors: Array

    @classmethod
    def of(cls, rows: Sequence[VideoInfo], look: Look, *, frames: int, rate: float, size: int, what: str) -> "Looks":
        """Looks of the videos that can be read."""
        found = [
            (row.name, look([clip])[0])
            for row, clip in heart_clips(rows, frames=frames, rate=rate, size=size, what=what, short=True)
        ]
        return cls(tuple(name for name, _ in found), np.array([vector for _, vector in found]))


def set_threshold(train: Looks, val: Looks, quantile: float) -> dict[str, Any]:
    """How alike real, different hearts are.

    Args:
        train: looks of TRAIN.
        val: looks of VAL; no heart of it is in TRAIN. TEST is never used for this.
        quantile: in (0, 1].

    Returns:
        ``threshold``, the quantile of each VAL heart's similarity to its *nearest* TRAIN heart: a clip is held against
        all of TRAIN, too. ``pair_threshold``, the same of all pairs, for one given heart: the motion donor.
        ``val_hearts``, and how both are spread.

    Raises:
        EchoAugmentError: VAL or TRAIN has no heart that can be read.
    """
    if not len(val.names) or not len(train.names):
        raise EchoAugmentError(
            f"{len(val.names)} VAL and {len(train.names)} TRAIN videos can be read to set the privacy gate's threshold",
            NO_HEARTS,
        )
    alike = val.vectors @ train.vectors.T
    nearest = alike.max(1)
    return {
        "threshold": float(np.quantile(nearest, quantile)),
        "pair_threshold": float(np.quantile(alike, quantile)),
        "val_hearts": len(val.names),
        "val_to_nearest_train": {key: float(value) for key, value in spread(nearest).items()},
        "val_to_train": {key: float(value) for key, value in spread(alike.ravel()).items()},
    }


class PrivacyGate:
    """Rejects clips that look like a heart of TRAIN; see above.

    Args:
        look: of clips.
        train: looks of every TRAIN heart.
        against: ``others`` or ``all``.
        threshold: similarity to the nearest of these hearts over which a clip is rejected.
        pair_threshold: similarity to the motion donor over which a clip is rejected.
        readings: keeps ``nearest_other``, ``appearance`` and ``motion``, the similarities of every clip.
    """

    def __init__(
        self, look: Look, train: Looks, *, against: str, threshold: float, pair_threshold: float, readings: Readings
    ) -> None:
        self.look, self.train, self.against = look, train, against
        self.threshold, self.pair_threshold, self.readings = threshold, pair_threshold, readings
        self._place = {name: place for place, name in enumerate(train.names)}

    def judge(self, lines: Sequence[PlanLine], clips: Sequence[EchoClip]) -> list[str | None]:
        """``"privacy: ..."`` with the heart's name for each clip that shows one, else None."""
        alike = self.look([clip.frames for clip in clips]) @ self.train.vectors.T
        return [self._judge(line, row) for line, row in zip(lines, alike, strict=True)]

    def _judge(self, line: PlanLine, row: Array) -> str | None:
        own, motion = self._place.get(line.appearance_donor), self._place.get(line.motion_donor)
        others = row.copy()
        if own is not None:
            others[own] = -np.inf
        figures = {"nearest_other": others.max()}
        figures |= {"appearance": row[own]} if own is not None else {}
        figures |= {"motion": row[motion]} if motion is not None and motion != own else {}
        self.readings.add(line.clip_id, **figures)
        seen = row if self.against == "all" else others
        top = int(seen.argmax())
        if seen[top] > self.threshold:
            who = {own: "appearance donor", motion: "motion donor"}.get(top, "TRAIN heart")
            return f"privacy: like {who} {self.train.names[top]}, similarity {seen[top]:.3f} over {self.threshold:.3f}"
        if figures.get("motion", -1.0) > self.pair_threshold:
            close = f"similarity {figures['motion']:.3f} over {self.pair_threshold:.3f}"
            return f"privacy: like motion donor {line.motion_donor}, {close}"
        return None
