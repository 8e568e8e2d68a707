"""What LV masks say: overlap, and ejection fraction by the method of discs."""

import cv2
import numpy as np
import numpy.typing as npt

Masks = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


def dice(first: Masks, second: Masks) -> float:
    """Dice coefficient ``2 |A and B| / (|A| + |B|)`` of two masks of one shape, in [0, 1]; 1 where both are empty."""
    size = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / size if size else 1.0


def long_axis(mask: Masks) -> tuple[float, float]:
    """Direction ``(x, y)``, of length 1, along which a mask ``(H, W)`` is longest: its first principal axis.

    An empty mask gives ``(0, 1)``.
    """
    y, x = np.nonzero(mask)
    if len(x) < 2:
        return 0.0, 1.0
    values, vectors = np.linalg.eigh(np.cov(np.stack([x, y]).astype(np.float64)))
    chosen = vectors[:, int(values.argmax())]
    return float(chosen[0]), float(chosen[1])


def disc_volume(mask: Masks, axis: tuple[float, float]) -> float:
    """Volume in cubic pixels by the single-plane method of discs: discs one pixel high, stacked along ``axis``.

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
    """Volume of every frame ``(T,)`` in cubic pixels, all along the long axis of the largest mask of ``(T, H, W)``."""
    largest = int(masks.reshape(len(masks), -1).sum(1).argmax())
    axis = long_axis(masks[largest])
    return np.array([disc_volume(mask, axis) for mask in masks])


def mask_ef(masks: Masks, ed_frame: int, es_frame: int) -> float:
    """EF in percent from LV masks ``(T, H, W)`` by the method of discs; NaN where the ED mask is empty.

    Args:
        masks: of a clip; the discs are stacked along the long axis of its largest mask.
        ed_frame: of the end-diastolic mask; with ``es_frame`` below 0 the largest and smallest volume are taken.
        es_frame: of the end-systolic mask.

    Returns:
        ``100 (EDV - ESV) / EDV``, at most 100; negative where the ES mask is larger.
    """
    found = volumes(masks)
    edv, esv = (found[ed_frame], found[es_frame]) if min(ed_frame, es_frame) >= 0 else (found.max(), found.min())
    return float(100 * (edv - esv) / edv) if edv > 0 else float("nan")


def largest_piece(masks: Masks) -> Masks:
    """Masks ``(T, H, W)`` with all but the largest connected piece of each frame removed: there is one ventricle."""
    kept = np.zeros_like(masks)
    for place, mask in enumerate(masks):
        count, labels, figures, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
        if count > 1:
            kept[place] = labels == 1 + int(figures[1:, cv2.CC_STAT_AREA].argmax())
    return kept
