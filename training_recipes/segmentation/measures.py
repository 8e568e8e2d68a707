"""How good LV masks are: Dice as echonet counts it, the 95 % Hausdorff distance, and EF from masks."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

from echo_augment.augmentor.data.phantom import load_phantoms
from echo_augment.augmentor.mcdm.masks import Masks, mask_ef

ED, ES = 0, 1


class MaskFigures(TypedDict):
    """How good the masks of one video are, as ``result.json`` holds it.

    ``pixels`` are intersection and sum of both sizes, at ED and at ES; ``dice`` is that of both frames together,
    ``hd95`` the mean of both in pixels; ``ef`` is the table's and ``ef_masks`` that of the predicted masks, in percent,
    NaN (None in JSON) if unknown.
    """

    pixels: list[int]
    dice: float
    dice_ed: float
    dice_es: float
    hd95: float
    hd95_ed: float
    hd95_es: float
    ef: float | None
    ef_masks: float | None
    hd95_mm: NotRequired[float]


class EFFromMasks(TypedDict):
    """Error of EF from masks (minus true EF, in EF points): mean of its size, mean; ``hearts`` videos have one."""

    mae: float
    bias: float
    hearts: int


class MaskSummary(TypedDict):
    """Means over videos, besides Dice over all pixels and the error of the EF from masks."""

    dice: float
    dice_ed: float
    dice_es: float
    hd95: float
    hd95_ed: float
    hd95_es: float
    hd95_mm: NotRequired[float]
    pooled: dict[str, float]
    ef_masks: EFFromMasks


def border(mask: Masks) -> Masks:
    """Return the pixels of a mask ``(H, W)`` that touch its outside (by an edge) or the picture's rim."""
    return mask & ~binary_erosion(mask)


def hausdorff95(first: Masks, second: Masks) -> float:
    """Return the 95 % Hausdorff distance of two masks ``(H, W)`` in pixels.

    The larger of two 95th percentiles: of the distances from the pixels of one border to the other border, and the
    other way round. 0 if both masks are empty; the picture's diagonal if one is.
    """
    if not first.any() or not second.any():
        return 0.0 if first.any() == second.any() else math.hypot(*first.shape)
    borders = border(first), border(second)
    away = [distance_transform_edt(~edge) for edge in borders]
    return float(max(np.percentile(away[1][borders[0]], 95), np.percentile(away[0][borders[1]], 95)))


def measure(predicted: Masks, true: Masks, ef: float, mm_per_px: float | None) -> MaskFigures:
    """Return the figures of one video.

    Args:
        predicted: ``(2, H, W)``, ED and ES.
        true: ``(2, H, W)``.
        ef: EF of the table in percent; NaN if unknown.
        mm_per_px: millimetres in a pixel; None if unknown.
    """
    inter = [int((one & other).sum()) for one, other in zip(predicted, true, strict=True)]
    size = [int(one.sum() + other.sum()) for one, other in zip(predicted, true, strict=True)]
    far = [hausdorff95(one, other) for one, other in zip(predicted, true, strict=True)]
    found = MaskFigures(
        pixels=[inter[ED], size[ED], inter[ES], size[ES]],
        dice=dice(sum(inter), sum(size)),
        dice_ed=dice(inter[ED], size[ED]),
        dice_es=dice(inter[ES], size[ES]),
        hd95=float(np.mean(far)),
        hd95_ed=far[ED],
        hd95_es=far[ES],
        ef=ef,
        ef_masks=mask_ef(predicted, ED, ES),
    )
    if mm_per_px is not None:
        found["hd95_mm"] = mm_per_px * found["hd95"]
    return found


def dice(inter: int, size: int) -> float:
    """Return Dice's coefficient of two masks (Dice, Ecology 1945); 1 for two empty ones.

    Args:
        inter: pixels in both masks.
        size: pixels of the one plus pixels of the other.

    >>> dice(inter=3, size=4 + 5), dice(0, 0)
    (0.6666666666666666, 1.0)
    """
    return 2 * inter / size if size else 1.0


def pooled_dice(videos: Iterable[MaskFigures]) -> dict[str, float]:
    """Return Dice over the pixels of all videos together, as echonet reports it: ``dice``, ``dice_ed``, ``dice_es``.

    Args:
        videos: figures of each video, see `measure`.
    """
    pixels = np.array([one["pixels"] for one in videos], np.int64).sum(0)
    return {
        "dice": dice(int(pixels[0] + pixels[2]), int(pixels[1] + pixels[3])),
        "dice_ed": dice(int(pixels[0]), int(pixels[1])),
        "dice_es": dice(int(pixels[2]), int(pixels[3])),
    }


def summary(videos: Mapping[str, MaskFigures]) -> MaskSummary:
    """Return the figures of a test: means over videos, Dice over all pixels, and the error of EF from masks.

    Args:
        videos: figures of each video by its name.
    """
    rows = list(videos.values())
    pairs = np.array([(row["ef"], row["ef_masks"]) for row in rows], np.float64)
    error = (pairs[:, 1] - pairs[:, 0])[np.isfinite(pairs).all(1)]
    found = MaskSummary(
        dice=_mean(row["dice"] for row in rows),
        dice_ed=_mean(row["dice_ed"] for row in rows),
        dice_es=_mean(row["dice_es"] for row in rows),
        hd95=_mean(row["hd95"] for row in rows),
        hd95_ed=_mean(row["hd95_ed"] for row in rows),
        hd95_es=_mean(row["hd95_es"] for row in rows),
        pooled=pooled_dice(rows),
        ef_masks=EFFromMasks(mae=_mean(np.abs(error)), bias=_mean(error), hearts=len(error)),
    )
    if "hd95_mm" in rows[0]:
        found["hd95_mm"] = _mean(row["hd95_mm"] for row in rows)
    return found


def _mean(values: Iterable[float]) -> float:
    """Return the mean, NaN of nothing."""
    found = list(values)
    return float(np.mean(found)) if found else math.nan


def scales(root: str | Path) -> dict[str, float]:
    """Return the millimetres in a pixel by name of the phantom; nothing for a data set whose scale is not known."""
    if not (Path(root) / "phantoms.json").exists():
        return {}
    return {name: phantom.appearance.mm_per_px for name, phantom in load_phantoms(root).items()}
