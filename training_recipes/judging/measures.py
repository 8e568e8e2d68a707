"""How far clips re-enact given ones: explained latent motion, and sharpness and double edges beside the eye."""

import cv2
import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL

from echo_augment.augmentor.mcdm.codec import decode, encode
from echo_augment.augmentor.mcdm.flow import FlowEstimator

Clips = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
Fields = npt.NDArray[np.float32]
FINE = 1.0  # pixels: finer structure than this counts as sharpness
EDGE = 1.5  # pixels of blur before edges are looked at, so that speckle is none


def latents_of(vae: AutoencoderKL, frames: Clips) -> Values:
    """Return the codec's latents ``(N, C, h, w)`` of frames ``(N, H, W)`` uint8."""
    return np.asarray(encode(vae, torch.from_numpy(frames)).cpu().double().numpy())


def explained_motion(made: Values, truth: Values, still: Values) -> float:
    """Return the share of a clip's latent motion that another clip shows: 1 all of it, 0 as a still ED frame.

    ``1 - |truth - made|^2 / |truth - still|^2``; below 0 the clip is farther off than the still frame.

    Args:
        made: latents ``(T, C, h, w)`` of the generated clip.
        truth: of the true one.
        still: of the ED frame, ``(C, h, w)``.
    """
    return 1 - float(((truth - made) ** 2).sum()) / max(float(((truth - still) ** 2).sum()), 1e-12)


def dense_warp(clip: Clips, reference: Clips) -> Clips:
    """Return the reference frame, moved by dense optical flow to where each frame of a clip shows it.

    The flow is estimated in every pixel from the true frames themselves: what a motion without any bottleneck gives.

    Args:
        clip: ``(T, H, W)`` uint8.
        reference: its ED frame, ``(H, W)`` uint8.
    """
    estimate = FlowEstimator()
    height, width = reference.shape
    grid: Fields = np.stack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    moved = []
    for frame in clip:
        x, y = grid + estimate(frame, reference)
        moved.append(cv2.remap(reference, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(moved)


def round_trip(vae: AutoencoderKL, clip: Clips) -> Clips:
    """Return a clip ``(T, H, W)`` uint8 after the codec, to latents and back."""
    return np.asarray(decode(vae, encode(vae, torch.from_numpy(clip))).cpu().numpy())


def sharpness(made: Clips, truth: Clips) -> float:
    """Return how strong the fine structure of a clip is, as a share of the true one's: below 1 it is blurred.

    Args:
        made: ``(T, H, W)`` uint8.
        truth: likewise.
    """
    fine = [float(np.std(frames - _blurred(frames, FINE))) for frames in (made, truth)]
    return fine[0] / max(fine[1], 1e-12)


def double_edges(made: Clips, truth: Clips, reference: Clips) -> float:
    """Return how far walls stand twice, where they were and where they should be: 0 once, 1 each half bright.

    Where the reference has edges that the true frame has not, some of them may have stayed (``stays``, 1 all); where
    the true frame has edges that the reference has not, some may have come (``comes``, 1 all). A clip that moves its
    walls has 0 and 1, a still one 1 and 0; ``4 * stays * comes`` is largest for the mean of the two frames. Edges are
    gradients of the blurred frames; the two shares are over all frames of the clip, each within 0 and 1.

    Args:
        made: ``(T, H, W)`` uint8.
        truth: likewise.
        reference: the ED frame, ``(H, W)`` uint8.
    """
    shown, true = _edges(made), _edges(truth)
    old = np.broadcast_to(_edges(reference[None]), true.shape)
    left, new = np.clip(old - true, 0, None), np.clip(true - old, 0, None)
    stays = float(((shown - true) * left).sum()) / max(float((left * left).sum()), 1e-12)
    comes = float(((shown - old) * new).sum()) / max(float((new * new).sum()), 1e-12)
    return 4 * min(max(stays, 0.0), 1.0) * min(max(comes, 0.0), 1.0)


def _blurred(frames: Clips, sigma: float) -> Fields:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames.astype(np.float32)])


def _edges(frames: Clips) -> Fields:
    found = []
    for frame in _blurred(frames, EDGE):
        found.append(np.hypot(cv2.Sobel(frame, cv2.CV_32F, 1, 0), cv2.Sobel(frame, cv2.CV_32F, 0, 1)))
    return np.stack(found)
