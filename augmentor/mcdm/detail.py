"""Giving a decoded clip the fine detail of its reference frame, which the codec lost."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt

from .flow import FlowTeacher

Frames = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]
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
    teacher = FlowTeacher()
    flows = visible_motion(np.stack([teacher(frame, blurred) for frame in decoded]))
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
    """Flows ``(T, 2, H, W)`` in pixels, smoothed, and zero where nothing moved visibly."""
    smooth = np.stack([[cv2.GaussianBlur(part, (0, 0), SMOOTH) for part in flow] for flow in flows])
    length = np.hypot(smooth[:, 0], smooth[:, 1])
    share = np.clip((length - STILL) / (MOVING - STILL), 0, 1)
    return np.asarray(smooth * share[:, None], np.float32)


def carry_details(decoded: Frames, references: Frames, blurred: Frames) -> Frames:
    """`carry_detail` for a batch ``(B, T, H, W)`` with references ``(B, H, W)``, on as many threads as OpenCV uses."""
    threads = max(1, min(len(decoded), cv2.getNumThreads()))
    with ThreadPoolExecutor(threads) as pool:
        return np.stack(list(pool.map(carry_detail, decoded, references, blurred)))
