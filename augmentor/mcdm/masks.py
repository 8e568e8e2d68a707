"""LV masks: volumes and EF from them, and how those of a generated clip are drawn, judged and gated."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.arguments import check_share
from echo_augment.cache.generator import DonorGenerator, WrappedGenerator

from ..predictors import Segmenter
from .fingerprint import digest

Masks = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


def dice(first: Masks, second: Masks) -> float:
    """Return the Dice coefficient ``2 |A and B| / (|A| + |B|)`` of two masks, in [0, 1]; 1 if both are empty."""
    size = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / size if size else 1.0


def resized(mask: Masks, height: int, width: int) -> Masks:
    """Return a mask ``(h, w)`` at another size, ``(height, width)``."""
    if mask.shape == (height, width):
        return mask
    return np.asarray(cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0)


def long_axis(mask: Masks) -> tuple[float, float]:
    """Return the direction ``(x, y)``, of length 1, along which a mask ``(H, W)`` is longest: its first principal axis.

    An empty mask gives ``(0, 1)``.
    """
    y, x = np.nonzero(mask)
    if len(x) < 2:
        return 0.0, 1.0
    values, vectors = np.linalg.eigh(np.cov(np.stack([x, y]).astype(np.float64)))
    chosen = vectors[:, int(values.argmax())]
    return float(chosen[0]), float(chosen[1])


def disc_volume(mask: Masks, axis: tuple[float, float]) -> float:
    """Return the volume in cubic pixels by the single-plane method of discs, one pixel high and stacked on ``axis``.

    Each disc's diameter is the mask's width across the axis there (the area of the slice over its height), as in
    Folland et al., "Assessment of left ventricular ejection fraction and volumes by real-time, two-dimensional
    echocardiography" (Circulation 1979).

    Args:
        mask: ``(H, W)``.
        axis: ``(x, y)`` of length 1.
    """
    y, x = np.nonzero(mask)
    if not len(x):
        return 0.0
    along = x * axis[0] + y * axis[1]
    place = along - along.min()
    low = np.floor(place).astype(np.int64)
    share = place - low
    # A pixel covers one pixel's length along the axis, so it counts in the two slices that it lies between.
    width = np.bincount(low, 1 - share, int(low.max()) + 2) + np.bincount(low + 1, share, int(low.max()) + 2)
    return float(np.pi / 4 * np.square(width).sum())


def volumes(masks: Masks) -> Array:
    """Return the volumes ``(T,)`` of masks ``(T, H, W)`` in cubic pixels, all along the largest one's long axis."""
    largest = int(masks.reshape(len(masks), -1).sum(1).argmax())
    axis = long_axis(masks[largest])
    return np.array([disc_volume(mask, axis) for mask in masks])


def mask_ef(masks: Masks, ed_frame: int, es_frame: int) -> float:
    """Return the EF in percent from LV masks ``(T, H, W)`` by the method of discs; NaN if the ED mask is empty.

    Args:
        masks: a clip's; the discs are stacked along the long axis of its largest mask.
        ed_frame: index of the end-diastolic mask; with ``es_frame`` below 0 the largest and smallest volume are taken.
        es_frame: index of the end-systolic mask.

    Returns:
        ``100 (EDV - ESV) / EDV``, at most 100; negative where the ES mask is larger.
    """
    found = volumes(masks)
    edv, esv = (found[ed_frame], found[es_frame]) if min(ed_frame, es_frame) >= 0 else (found.max(), found.min())
    return float(100 * (edv - esv) / edv) if edv > 0 else float("nan")


def largest_piece(masks: Masks) -> Masks:
    """Keep the largest connected piece of each of the masks ``(T, H, W)``: there is one ventricle."""
    kept = np.zeros_like(masks)
    for place, mask in enumerate(masks):
        count, labels, figures, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
        if count > 1:
            kept[place] = labels == 1 + int(figures[1:, cv2.CC_STAT_AREA].argmax())
    return kept


EF_TOLERANCE = 15.0  # EF points: an EF from masks that is so far from the donor's leaves a confidence of 0.61


@dataclass(frozen=True, slots=True)
class MaskTrust:
    """How far the masks of a clip agree with what its donors say.

    Attributes:
        tracing_dice: Dice of the ED mask with the appearance donor's tracing at ED, where the reference frame was
            taken; NaN without a tracing.
        ef: by the method of discs from the masks at the clip's ED and ES frames, in percent; NaN without ED mask.
        ef_error: ``ef``, less the segmenter's bias, minus the motion donor's EF; NaN if either is unknown.
    """

    tracing_dice: float
    ef: float
    ef_error: float

    @property
    def confidence(self) -> float:
        """In [0, 1]: the Dice (1 without a tracing) times ``exp(-ef_error**2 / (2 * EF_TOLERANCE**2))``.

        If the clip has no EF to compare with, only the Dice counts; with an empty ED mask it is 0.
        """
        if math.isnan(self.ef):
            return 0.0
        overlap = 1.0 if math.isnan(self.tracing_dice) else self.tracing_dice
        error = 0.0 if math.isnan(self.ef_error) else self.ef_error
        return overlap * math.exp(-0.5 * (error / EF_TOLERANCE) ** 2)


def trust(clip: EchoClip, masks: Masks, tracing: Masks | None = None, *, ef_bias: float = 0.0) -> MaskTrust:
    """Compare the masks ``(T, H, W)`` of a clip with what its donors say.

    Args:
        clip: with the motion donor's EF and ED and ES frames.
        masks: drawn on its frames.
        tracing: LV mask ``(h, w)`` that a person traced in the appearance donor's ED frame, at any size; or None.
        ef_bias: EF points by which EF from such masks is off everywhere; subtracted.
    """
    overlap = math.nan
    ed = clip.ed_frame if clip.ed_frame >= 0 else int(masks.sum((1, 2)).argmax())
    if tracing is not None:
        overlap = dice(masks[ed], resized(tracing, *masks.shape[1:]))
    found = mask_ef(masks, clip.ed_frame, clip.es_frame) if masks[ed].any() else math.nan
    return MaskTrust(overlap, found, found - ef_bias - clip.ef)


def with_masks(clip: EchoClip, segmenter: Segmenter, tracing: Masks | None = None) -> EchoClip:
    """Return a generated clip with an LV mask for every frame; see `MaskTrust` for what becomes of its confidence.

    Args:
        clip: generated; its confidence is multiplied by that of the masks. Masks that it has already, which moved with
            the tissue from the appearance donor's tracing, are kept.
        segmenter: draws the masks of a clip that has none.
        tracing: the appearance donor's at ED, ``(h, w)``, or None.

    Returns:
        The clip with ``masks``; ``mask_ef``, ``mask_dice`` (None without tracing, or where the masks come from it),
        ``mask_confidence``, ``mask_source`` (``tracing`` or ``segmenter``) and ``segmenter`` stand in
        ``provenance.extra``.
    """
    carried = clip.masks is not None
    masks = clip.masks if clip.masks is not None else segmenter(clip.frames)
    found = trust(clip, masks, None if carried else tracing, ef_bias=0.0 if carried else segmenter.ef_bias)
    confidence = min(1.0, max(0.0, found.confidence))
    source = clip.provenance
    if source is not None:
        notes: dict[str, str | float | None] = {
            "mask_ef": _number(found.ef),
            "mask_dice": _number(found.tracing_dice),
            "mask_confidence": confidence,
            "mask_source": "tracing" if carried else "segmenter",
            "segmenter": None if carried else segmenter.fingerprint,
        }
        source = replace(source, extra={**source.extra, **notes})
    return replace(clip, masks=masks, confidence=clip.confidence * confidence, provenance=source)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


class MaskGate:
    """A gate of `echo_augment.cache.fill` that rejects clips whose masks their donors contradict.

    A label policy's confidence does not matter here: `with_masks` keeps ``mask_confidence`` apart.

    Args:
        at_least: lowest confidence of a clip's masks, in [0, 1].

    Raises:
        EchoAugmentError: ``at_least`` is out of its range.
    """

    def __init__(self, at_least: float = 0.5) -> None:
        self.at_least = check_share("the lowest confidence of masks", at_least)

    def judge(self, lines: Sequence[PlanLine], clips: Sequence[EchoClip]) -> list[str | None]:
        """Return for each clip None, or why it is rejected."""
        return [self._reason(clip) for clip in clips]

    def _reason(self, clip: EchoClip) -> str | None:
        extra = {} if clip.provenance is None else clip.provenance.extra
        confidence = float(extra.get("mask_confidence", clip.confidence))
        if clip.masks is None or confidence >= self.at_least:
            return None
        return (
            f"masks: confidence {confidence:.2f} is below {self.at_least:g} (EF from masks {extra.get('mask_ef')}, "
            f"the donor's {extra.get('donor_ef', clip.ef):.1f}; Dice with the donor's tracing {extra.get('mask_dice')})"
        )


class TracingCarrier(Protocol):
    """A generator that can let tracings ride to every frame of a clip, as `ClipGenerator` can."""

    def carry_tracings(self, tracings: Mapping[str, Masks], /) -> bool:
        """Take tracings of appearance donors by name; return whether it can."""
        ...


class WithMasks(WrappedGenerator):
    """A generator whose clips carry LV masks: a callable for `echo_augment.cache.fill`, like the one it wraps.

    The tracing of a traced appearance donor moves with the tissue, if the generator knows where that goes; the masks of
    all other clips are a segmenter's.

    Args:
        generator: makes the clips, for instance a `ClipGenerator`.
        segmenter: draws the masks.
        tracings: LV mask at ED ``(h, w)`` by name, of the appearance donors whose tracing may be used.
    """

    def __init__(
        self,
        generator: DonorGenerator | TracingCarrier,
        segmenter: Segmenter,
        tracings: Mapping[str, Masks] | None = None,
    ) -> None:
        self.segmenter, self.tracings = segmenter, tracings or {}
        carry = getattr(generator, "carry_tracings", None)
        carried = carry is not None and carry(self.tracings)
        masks = "".join(name + np.packbits(mask).tobytes().hex() for name, mask in sorted(self.tracings.items()))
        suffix = f"-traced-{digest(masks.encode())}" if carried and self.tracings else ""
        super().__init__(cast(DonorGenerator, generator), f"+masks-{segmenter.fingerprint}{suffix}")

    def __call__(self, lines: Sequence[PlanLine]) -> list[EchoClip]:
        """Return the clips of some plan lines, in their order."""
        pairs = zip(lines, self.generator(lines), strict=True)
        return [
            self.dress(with_masks(clip, self.segmenter, self.tracings.get(one.appearance_donor))) for one, clip in pairs
        ]
