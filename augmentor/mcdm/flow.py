"""Dense optical flow by OpenCV's DIS: the flow estimator, its pooling, and fine detail carried along the flow."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
SHRINK = 4  # fields that are kept are a quarter of the frame's side; flow is smooth


class FlowEstimator:
    """Dense inverse search optical flow (Kroeger et al., ECCV 2016), as OpenCV ships it; nothing learned, no labels.

    Args:
        finest: halvings of the frames at the finest scale; 1 is a quarter of the work.
    """

    def __init__(self, finest: int = 0) -> None:
        self._dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(finest)

    def __call__(self, first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> Array:
        """Return the flow between frames ``(H, W)`` uint8: ``(2, H, W)`` float32 in pixels, x then y."""
        flow = self._dis.calc(np.ascontiguousarray(first), np.ascontiguousarray(second), None)
        return np.ascontiguousarray(flow.transpose(2, 0, 1))


def shrink_flow(flow: Array) -> Array:
    """Average flow ``(..., 2, H, W)`` over 4 x 4 squares: ``(..., 2, H / 4, W / 4)``, in pixels of the full frame."""
    *rest, height, width = flow.shape
    return np.asarray(flow.reshape(*rest, height // SHRINK, SHRINK, width // SHRINK, SHRINK).mean((-3, -1)))


def grid_weights(frame: npt.NDArray[np.uint8], cells: int = 5) -> Array:
    """Return pooling weights ``(cells * cells, H * W)`` for a frame ``(H, W)``: soft grid cells times brightness.

    Bright tissue moves visibly and dark blood does not, hence the brightness. The cells overlap (Gaussian windows),
    so the pooled motion does not jump where an edge crosses a cell's border. Rows sum to 1.
    """
    height, width = frame.shape
    centres = (np.arange(cells) + 0.5) / cells
    sigma = 0.5 / cells
    ys = np.exp(-0.5 * ((np.arange(height)[None] + 0.5) / height - centres[:, None]) ** 2 / sigma**2)
    xs = np.exp(-0.5 * ((np.arange(width)[None] + 0.5) / width - centres[:, None]) ** 2 / sigma**2)
    windows = np.einsum("ih,jw->ijhw", ys, xs).reshape(cells * cells, -1)
    bright = cv2.GaussianBlur(frame.astype(np.float32), (0, 0), 1.5).reshape(-1) + 2.0
    weights = windows * bright
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def pool_flow(flow: Array, weights: Array) -> Array:
    """Return the weighted means of flows ``(..., 2, H, W)`` on the grid: ``(..., 2 * cells * cells)`` in pixels."""
    flat = flow.reshape(*flow.shape[:-2], -1)
    return np.ascontiguousarray((flat @ weights.T).reshape(*flow.shape[:-3], -1))


Frames = npt.NDArray[np.uint8]


SMOOTH = 2.5  # pixels: speckle moves with the tissue around it, not pixel by pixel
STILL, MOVING = 1.0, 1.5  # pixels of flow: below the first nothing has moved visibly, above the second all of it counts


def carry_detail(decoded: Frames, reference: Frames, blurred: Frames) -> Frames:
    """Let the fine detail of the reference frame ride on the decoded clip's motion.

    A codec that shrinks 112 x 112 pixels to 4 x 14 x 14 numbers cannot hold speckle, and its blur is what a person
    sees first. The reference frame has the speckle of exactly this heart. Per frame: dense flow from the decoded frame
    to the reference as the codec shows it, smoothed; what the codec took from the reference (sharp minus blurred),
    warped by it; and that added to the decoded frame. So all that the clip shows on the codec's scale, the
    ventricle's motion with it, stays as the denoiser made it.

    Args:
        decoded: clip ``(T, H, W)`` uint8 from the codec.
        reference: the sharp reference frame ``(H, W)`` uint8.
        blurred: its codec round trip ``(H, W)`` uint8.

    Returns:
        ``(T, H, W)`` uint8.
    """
    # Smoothed as it is, flow of half the frames' resolution carries detail as well, and takes less time.
    estimate = FlowEstimator(finest=1)
    flows = visible_motion(np.stack([estimate(frame, blurred) for frame in decoded]))
    height, width = reference.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    detail = reference.astype(np.float32) - blurred
    clip = np.empty_like(decoded)
    for t, frame in enumerate(decoded):
        x, y = grid + flows[t]
        moved = cv2.remap(detail, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        clip[t] = np.clip(frame + moved + 0.5, 0, 255)
    return clip


def visible_motion(flows: Array) -> Array:
    """Smooth flows ``(T, 2, H, W)`` in pixels, and set them to zero where nothing moved visibly."""
    smooth = np.stack([[cv2.GaussianBlur(part, (0, 0), SMOOTH) for part in flow] for flow in flows])
    length = np.hypot(smooth[:, 0], smooth[:, 1])
    share = np.clip((length - STILL) / (MOVING - STILL), 0, 1)
    return np.asarray(smooth * share[:, None], np.float32)


def carry_details(decoded: Frames, references: Frames, blurred: Frames) -> Frames:
    """Apply `carry_detail` to clips ``(B, T, H, W)`` with references ``(B, H, W)``, on as many threads as OpenCV."""
    threads = max(1, min(len(decoded), cv2.getNumThreads()))
    with ThreadPoolExecutor(threads) as pool:
        return np.stack(list(pool.map(carry_detail, decoded, references, blurred)))
