"""The privacy gate: does a clip show a patient of TRAIN that it should not show?

MCDM paints the *appearance donor* by design: the donor's end-diastolic frame is its input. So a clip is expected to be
recognised as its appearance donor, and no gate makes such a clip anonymous. What the gate can do:

- ``against=others`` rejects clips that look like any *other* TRAIN video, the motion donor above all: a generator that
  has learned videos by heart, or whose motion code carries the appearance along. For a cache that stays in the house.
- ``against=all`` also rejects clips that look like their own appearance donor. For a cache that leaves the house; it
  rejects most clips of a good generator, and what passes is only not recognised by *this* re-ID model.

"Looks like" is more alike than real, different patients are: the limit is a quantile of the similarities of VAL videos
to their nearest TRAIN video, in the manner of Dar et al., "Unconditional latent diffusion models memorize patient
imaging data" (arXiv 2402.01054). With the 0.99 quantile, 1 % of real, unrelated videos would be rejected as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from echo_augment.augmentor.data import VideoInfo
from echo_augment.augmentor.mcdm.reid import embed_clips
from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.errors import EchoAugmentError

from ..common.dataset import ClipShape, middle_clips
from .agreement import PrivacyLimit
from .readings import Readings, spread

Frames = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]
Embed = Callable[[Sequence[Frames]], Array]
"""Clips ``(T, H, W)`` of one shape to unit vectors ``(B, D)``: the more alike two patients look, the nearer."""
NO_VIDEOS = "Give gates.privacy.threshold=NUMBER in [-1, 1], or a data set with VAL videos"


def embedder(reid: Callable[[Tensor], Tensor], device: str | torch.device) -> Embed:
    """Return the function that embeds clips by a re-ID model.

    Args:
        reid: re-ID model of a generator.
        device: to compute on.
    """

    def embed(clips: Sequence[Frames]) -> Array:
        batch = torch.from_numpy(np.stack(clips)).to(device)
        return embed_clips(reid, batch).cpu().double().numpy()

    return embed


@dataclass(frozen=True, slots=True, eq=False)
class Appearances:
    """How the patients of some real videos look.

    Attributes:
        names: names of the videos.
        vectors: unit vectors ``(N, D)``.
    """

    names: tuple[str, ...]
    vectors: Array

    @classmethod
    def of(cls, rows: Sequence[VideoInfo], embed: Embed, shape: ClipShape, *, what: str) -> "Appearances":
        """Embed the videos that can be read.

        Args:
            rows: videos.
            embed: see `Embed`.
            shape: shape of the generated clips, to which the videos are cut.
            what: name of the stage.
        """
        found = [(row.name, embed([clip])[0]) for row, clip in middle_clips(rows, shape, what=what, short=True)]
        return cls(tuple(name for name, _ in found), np.array([vector for _, vector in found]))


def set_threshold(train: Appearances, val: Appearances, quantile: float) -> PrivacyLimit:
    """Return how alike real, different patients look.

    Args:
        train: TRAIN videos.
        val: VAL videos; no patient of theirs is in TRAIN. TEST is never used for this.
        quantile: in (0, 1].

    Returns:
        ``threshold``, the quantile of each VAL video's similarity to its *nearest* TRAIN video: a clip is held against
        all of TRAIN, too. ``pair_threshold``, the same of all pairs, for one given video: the motion donor.
        ``val_hearts``, the number of VAL videos, and how both similarities are spread.

    Raises:
        EchoAugmentError: VAL or TRAIN has no video that can be read.
    """
    if not len(val.names) or not len(train.names):
        raise EchoAugmentError(
            f"{len(val.names)} VAL and {len(train.names)} TRAIN videos can be read to set the privacy gate's threshold",
            NO_VIDEOS,
        )
    alike = val.vectors @ train.vectors.T
    nearest = alike.max(1)
    return PrivacyLimit(
        threshold=float(np.quantile(nearest, quantile)),
        pair_threshold=float(np.quantile(alike, quantile)),
        val_hearts=len(val.names),
        val_to_nearest_train=spread(nearest),
        val_to_train=spread(alike.ravel()),
    )


class PrivacyGate:
    """Rejects clips that look like a patient of TRAIN: any but its appearance donor's, or any, as ``against`` says.

    Args:
        embed: see `Embed`.
        train: every TRAIN video.
        against: ``others`` or ``all``.
        threshold: similarity to the nearest of these videos over which a clip is rejected.
        pair_threshold: similarity to the motion donor over which a clip is rejected.
        readings: keeps ``nearest_other``, ``appearance`` and ``motion``, the similarities of every clip.
    """

    def __init__(
        self,
        embed: Embed,
        train: Appearances,
        *,
        against: str,
        threshold: float,
        pair_threshold: float,
        readings: Readings,
    ) -> None:
        self.embed, self.train, self.against = embed, train, against
        self.threshold, self.pair_threshold, self.readings = threshold, pair_threshold, readings
        self._place = {name: place for place, name in enumerate(train.names)}

    def judge(self, lines: Sequence[PlanLine], clips: Sequence[EchoClip]) -> list[str | None]:
        """Return ``"privacy: ..."`` with the video's name for each clip that shows its patient, else None."""
        alike = self.embed([clip.frames for clip in clips]) @ self.train.vectors.T
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
            who = {own: "appearance donor", motion: "motion donor"}.get(top, "TRAIN video")
            return f"privacy: like {who} {self.train.names[top]}, similarity {seen[top]:.3f} over {self.threshold:.3f}"
        if figures.get("motion", -1.0) > self.pair_threshold:
            close = f"similarity {figures['motion']:.3f} over {self.pair_threshold:.3f}"
            return f"privacy: like motion donor {line.motion_donor}, {close}"
        return None
