"""Figures of a clip's motion, alike for real clips and phantoms: how much a warp explains, its rank, its speckle."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .pixels import lagged, speckle_residue

Frames = npt.NDArray[np.uint8]
Array = npt.NDArray[np.floating[Any]]
Encode = Callable[[Frames], Array]
COMPONENTS = (1, 2, 4, 8, 16)
LAGS = (2, 4, 8, 16)  # frames at 50 a second: 40 to 320 ms; `clip_figures` has lag 1
BAND = 9  # pixels on both sides of the LV border that are wall
SECTOR_GREY = 8  # tissue that a flow can be read from, after a blur


class DenseFlow:
    """Dense inverse search flow at full resolution (Kroeger et al., ECCV 2016), as OpenCV ships it."""

    def __init__(self) -> None:
        self._dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(0)

    def __call__(self, first: Frames, second: Frames) -> Array:
        """Return where each pixel of ``first`` has come from in ``second``: ``(H, W, 2)`` pixels, x then y."""
        return np.asarray(self._dis.calc(np.ascontiguousarray(first), np.ascontiguousarray(second), None))


def warp(frame: Frames, flow: Array) -> Frames:
    """Return ``frame`` ``(H, W)`` sampled at its pixels plus ``flow`` ``(H, W, 2)``."""
    height, width = frame.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.asarray(cv2.remap(frame, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT))


def explained(made: Array, truth: Array, still: Array) -> float:
    """Return the share of what differs from ``still`` in ``truth`` ``(T, ...)`` that ``made`` has right; 1 at most."""
    error, change = float(((made - truth) ** 2).sum()), float(((truth - still) ** 2).sum())
    return 1 - error / max(change, 1e-9)


def component_shares(motion: Array) -> dict[str, float]:
    """Return the share of ``motion`` ``(T, ...)``, differences from rest, in its first 1, 2, 4, 8 and 16 components."""
    power = np.linalg.svd(motion.reshape(len(motion), -1).astype(np.float64), compute_uv=False) ** 2
    shares = np.cumsum(power) / max(float(power.sum()), 1e-9)
    return {f"components_{n}": float(shares[min(n, len(shares)) - 1]) for n in COMPONENTS}


def warp_figures(reference: Frames, clip: Frames, encode: Encode) -> dict[str, float]:
    """Return how much of a clip its own reference frame explains, still or warped by the dense flow to each frame.

    Args:
        reference: ED frame ``(H, W)`` uint8.
        clip: ``(T, H, W)`` uint8.
        encode: the codec, ``(N, H, W)`` uint8 to latents ``(N, ...)``.

    Returns:
        ``warp_latent`` and ``warp_image``, shares explained; ``still_psnr`` in dB.
    """
    flow = DenseFlow()
    warped = np.stack([warp(reference, flow(frame, reference)) for frame in clip])
    latents, moved, rest = encode(clip), encode(warped), encode(reference[None])
    grey, grey_warped, grey_rest = (frames.astype(np.float32) for frames in (clip, warped, reference[None]))
    # The reference may be a frame of the clip: it would be explained for nothing.
    error = float(((grey - grey_rest)[(clip != reference).any(axis=(1, 2))] ** 2).mean())
    return {
        "warp_latent": explained(moved, latents, rest),
        "warp_image": explained(grey_warped, grey, grey_rest),
        "still_psnr": float(10 * np.log10(255**2 / max(error, 1e-6))),
    }


def speckle_lags(film: Frames) -> dict[str, float]:
    """Return the speckle's correlation with itself 2 to 16 frames later in place, and 4 and 16 along the flow.

    Args:
        film: ``(T, H, W)`` uint8 at 50 frames a second, over 16 frames.
    """
    residue, tissue = speckle_residue(film)
    found = {f"speckle_lag_{lag}": lagged(residue, tissue, 0, lag) for lag in LAGS}
    flow = DenseFlow()
    for lag in (4, 16):
        values = []
        for t in range(0, len(film) - lag, max(1, (len(film) - lag) // 8)):
            carried = warp(film[t], flow(film[t + lag], film[t]))
            pair = np.stack([carried, film[t + lag]])
            values.append(lagged(*speckle_residue(pair), 0, 1))
        found[f"speckle_carried_{lag}"] = float(np.mean(values))
    return found


def flow_figures(reference: Frames, clip: Frames, lv: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return the energy of the flow in the wall's band, in squared pixels, and off it relative to that.

    Args:
        reference: ED frame ``(H, W)`` uint8.
        clip: ``(T, H, W)`` uint8.
        lv: mask of the LV in the ED frame ``(H, W)``.
    """
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BAND + 1, 2 * BAND + 1))
    mask = lv.astype(np.uint8)
    band = cv2.dilate(mask, disk).astype(bool) & ~cv2.erode(mask, disk).astype(bool)
    seen = cv2.GaussianBlur(reference, (0, 0), 3) > SECTOR_GREY
    flow = DenseFlow()
    energy = np.mean([(flow(reference, frame) ** 2).sum(axis=-1) for frame in clip], axis=0)
    on, off = float(energy[band & seen].mean()), float(energy[~cv2.dilate(mask, disk).astype(bool) & seen].mean())
    return {"flow_on_walls": on, "flow_off_walls": off / max(on, 1e-6)}
