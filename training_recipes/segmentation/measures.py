"""How good LV masks are: Dice as echonet counts it, the 95 % Hausdorff distance, and EF from masks."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

from echo_augment.augmentor.data.phantom import load_phantoms
from echo_augment.augmentor.mcdm.masks import Masks, mask_ef

ED, ES = 0, 1
PHASES = {"ed": ED, "es": ES}


def border(mask: Masks) -> Masks:
    """The pixels of a mask ``(H, W)`` that touch its outside (by an edge) or the picture's rim."""
    return mask & ~binary_erosion(mask)


def hausdorff95(first: Masks, second: Masks) -> float:
    """95 % Hausdorff distance of two masks ``(H, W)`` in pixels.

    The larger of two 95th percentiles: of the distances from the pixels of one border to the other border, and the
    other way round. 0 where both masks are empty; the picture's diagonal where one is.
    """
    if not first.any() or not second.any():
        return 0.0 if first.any() == second.any() else math.hypot(*first.shape)
    borders = border(first), border(second)
    away = [distance_transform_edt(~edge) for edge in borders]
    return float(max(np.percentile(away[1][borders[0]], 95), np.percentile(away[0][borders[1]], 95)))


def measure(predicted: Masks, true: Masks, ef: float, mm_per_px: float | None) -> dict[str, Any]:
    """The figures of one heart.

    Args:
        predicted: ``(2, H, W)``, ED and ES.
        true: ``(2, H, W)``.
        ef: of the table, in percent; NaN where there is none.
        mm_per_px: None where the scale is not known.

    Returns:
        ``pixels`` (intersection and sum of both sizes, at ED and at ES), ``dice`` of both frames together and of each,
        ``hd95`` the mean of both frames and of each in pixels, ``hd95_mm``, ``ef`` and ``ef_masks``.
    """
    inter = [int((one & other).sum()) for one, other in zip(predicted, true, strict=True)]
    size = [int(one.sum() + other.sum()) for one, other in zip(predicted, true, strict=True)]
    far = [hausdorff95(one, other) for one, other in zip(predicted, true, strict=True)]
    found: dict[str, Any] = {
        "pixels": [inter[ED], size[ED], inter[ES], size[ES]],
        "dice": _dice(sum(inter), sum(size)),
        **{f"dice_{name}": _dice(inter[place], size[place]) for name, place in PHASES.items()},
        "hd95": float(np.mean(far)),
        **{f"hd95_{name}": far[place] for name, place in PHASES.items()},
        "ef": ef,
        "ef_masks": mask_ef(predicted, ED, ES),
    }
    return found if mm_per_px is None else {**found, "hd95_mm": mm_per_px * found["hd95"]}


def _dice(inter: int, size: int) -> float:
    return 2 * inter / size if size else 1.0


def pooled_dice(hearts: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Dice over the pixels of all hearts together, which is what echonet reports: ``dice``, ``dice_ed``, ``dice_es``.

    Args:
        hearts: what `measure` gives, of each heart.
    """
    pixels = np.array([heart["pixels"] for heart in hearts], np.int64).sum(0)
    return {
        "dice": _dice(int(pixels[0] + pixels[2]), int(pixels[1] + pixels[3])),
        "dice_ed": _dice(int(pixels[0]), int(pixels[1])),
        "dice_es": _dice(int(pixels[2]), int(pixels[3])),
    }


def summary(hearts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of a test: means over hearts, Dice over all pixels (``pooled``), and the error of EF from masks."""
    rows = list(hearts.values())
    names = [name for name in rows[0] if name.startswith(("dice", "hd95"))]
    figures: dict[str, Any] = {name: float(np.mean([row[name] for row in rows])) for name in names}
    pairs = np.array([(row["ef"], row["ef_masks"]) for row in rows], np.float64)
    known = np.isfinite(pairs).all(1)
    error = pairs[known, 1] - pairs[known, 0]
    figures["pooled"] = pooled_dice(rows)
    figures["ef_masks"] = {
        "mae": float(np.abs(error).mean()) if known.any() else math.nan,
        "bias": float(error.mean()) if known.any() else math.nan,
        "hearts": int(known.sum()),
    }
    return figures


def scales(root: str | Path) -> dict[str, float]:
    """Millimetres in a pixel by name: of phantoms; empty for a data set whose scale is not known."""
    if not (Path(root) / "phantoms.json").exists():
        return {}
    return {name: phantom.appearance.mm_per_px for name, phantom in load_phantoms(root).items()}
