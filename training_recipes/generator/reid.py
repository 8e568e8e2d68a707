"""The re-ID model's training: two frames of one video are the same heart, in any light."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .mafe import contrastive_loss


def jitter(frames: Tensor) -> Tensor:
    """Gain, gamma and small shifts for the re-ID model: ``(B, 1, H, W)`` in [0, 1]; a heart is known in any light."""
    batch, device = len(frames), frames.device
    gain = torch.empty(batch, 1, 1, 1, device=device).uniform_(0.8, 1.25)
    gamma = torch.empty(batch, 1, 1, 1, device=device).uniform_(0.8, 1.25)
    theta = torch.eye(2, 3, device=device).repeat(batch, 1, 1)
    theta[:, :, 2].uniform_(-0.06, 0.06)
    grid = F.affine_grid(theta, list(frames.shape), align_corners=False)
    moved = F.grid_sample(frames, grid, align_corners=False)
    return (gain * moved.clamp_min(1e-4) ** gamma).clamp(0, 1)


def reid_step(model: nn.Module, frames: Tensor) -> dict[str, Tensor]:
    """Contrast two frames of each heart, uint8 ``(B, 2, H, W)``."""
    first, second = (jitter(frames[:, k : k + 1].float() / 255) for k in range(2))
    loss = contrastive_loss(model(first).float(), model(second).float())
    return {"loss": loss}
