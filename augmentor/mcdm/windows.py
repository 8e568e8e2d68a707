"""Clips longer than a denoiser was trained on: overlapping windows that are denoised together."""

from collections.abc import Callable

import torch
from torch import Tensor

Predict = Callable[[Tensor, slice], Tensor]


def window_starts(length: int, frames: int) -> list[int]:
    """First frames of the windows of ``frames`` that cover ``length``, each sharing at least half with the next.

    MCDM (arXiv 2512.09418) has windows of 64 frames share 32. The last one ends with the clip.
    """
    hop = max(1, frames // 2)
    return [*range(0, length - frames, hop), length - frames]


def tent(frames: int) -> Tensor:
    """Weights ``(frames,)`` of a window's frames: most in the middle, least at the ends, never zero.

    So a frame passes from one window to the next little by little, and a joint does not show.
    """
    rise = torch.arange(1, frames + 1, dtype=torch.float32)
    return torch.minimum(rise, rise.flip(0))


def predict_windows(predict: Predict, latents: Tensor, frames: int) -> Tensor:
    """One denoising step's prediction for a clip of any length.

    Every window is predicted by itself, and where windows overlap the weighted mean of their predictions counts; so
    all windows work on one common clip at every step (Bar-Tal et al., "MultiDiffusion", arXiv 2302.08113, over time).

    Args:
        predict: ``predict(part, where)`` for the latents of one window ``(B, frames, C, h, w)`` and its frames.
        latents: of the whole clip, ``(B, L, C, h, w)``, L at least ``frames``.
        frames: of a window.

    Returns:
        ``(B, L, C, h, w)``; for L = ``frames`` exactly what ``predict`` gives.
    """
    length = latents.shape[1]
    if length == frames:
        return predict(latents, slice(0, length))
    weights = tent(frames).to(latents.device)[:, None, None, None]
    total = torch.zeros(latents.shape, dtype=torch.float32, device=latents.device)
    share = torch.zeros(length, 1, 1, 1, device=latents.device)
    for start in window_starts(length, frames):
        where = slice(start, start + frames)
        total[:, where] += weights * predict(latents[:, where], where).float()
        share[where] += weights
    return (total / share).to(latents.dtype)
