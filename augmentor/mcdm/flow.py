"""Dense optical flow by OpenCV's DIS: the flow estimator, and its pooling."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
SHRINK = 4  # fields that are kept are a quarter of the frame's side; flow is smooth


class FlowEstimator:
    """Dense inverse search optical flow (Kroeger et al., ECCV 2016), as OpenCV ships it; nothing learned, no labels."""

    def __init__(self) -> None:
        self._dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(0)  # the frames as they are

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
