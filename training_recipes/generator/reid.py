"""Stage ``reid``: a model that recognises a video by a frame, in any light."""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.reid import ReIDEncoder

from ..training.together import of_all, own_share
from .codec import frame_batch
from .prepare import Prepared

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 1  # of random numbers


def jitter(frames: Tensor) -> Tensor:
    """Change gain, gamma and place of frames ``(B, 1, H, W)`` in [0, 1] at random: a heart is known in any light."""
    batch, device = len(frames), frames.device
    gain = torch.empty(batch, 1, 1, 1, device=device).uniform_(0.8, 1.25)
    gamma = torch.empty(batch, 1, 1, 1, device=device).uniform_(0.8, 1.25)
    theta = torch.eye(2, 3, device=device).repeat(batch, 1, 1)
    theta[:, :, 2].uniform_(-0.06, 0.06)
    grid = F.affine_grid(theta, list(frames.shape), align_corners=False)
    moved = F.grid_sample(frames, grid, align_corners=False)
    return (gain * moved.clamp_min(1e-4) ** gamma).clamp(0, 1)


def contrastive_loss(first: Tensor, second: Tensor, temperature: float = 0.1) -> Tensor:
    """Return InfoNCE, both ways: row i of ``first (B, D)`` and of ``second (B, D)`` are of one video.

    Where several processes train together, the rows of all are contrasted.
    """
    one, other = F.normalize(first, dim=-1), F.normalize(second, dim=-1)
    target = torch.arange(len(one), device=one.device) + own_share().rank * len(one)
    ways = [F.cross_entropy(a @ of_all(b).T / temperature, target) for a, b in ((one, other), (other, one))]
    return (ways[0] + ways[1]) / 2


def reid_step(model: nn.Module, frames: Tensor) -> dict[str, Tensor]:
    """Contrast two frames of each video, uint8 ``(B, 2, H, W)``."""
    first, second = (jitter(frames[:, k : k + 1].float() / 255) for k in range(2))
    loss = contrastive_loss(model(first).float(), model(second).float())
    return {"loss": loss}


def nearest_share(reid: ReIDEncoder, data: Prepared) -> float:
    """Return the share of watched videos whose ES frame lies nearest to their own ED frame among all ED frames."""
    with torch.no_grad():
        sides = [
            reid(
                torch.from_numpy(np.stack([h.frames[getattr(h, side)] for h in data.watched]))[:, None]
                .to(reid.device)
                .float()
                / 255
            )
            for side in ("ed", "es")
        ]
    nearest = (sides[1] @ sides[0].T).argmax(1).cpu()
    return float((nearest == torch.arange(len(nearest))).float().mean())


def train(context: "StageContext") -> dict[str, float]:
    """Train the re-ID model, and save it."""
    settings, reid, data = context.preset.reid, context.networks.reid, context.data
    result = context.train(
        reid,
        lambda rng, share: frame_batch(data, rng, settings.hearts, 2, share),
        reid_step,
        settings,
        name="reid",
        stream=STREAM,
    )
    context.save(reid, "reid")
    return {"steps": result.steps, "seconds": result.seconds, "nearest": nearest_share(reid, data)}


def load(context: "StageContext") -> None:
    """Load the trained re-ID model."""
    context.networks.reid = ReIDEncoder.from_pretrained(context.out / "reid").to(context.device).eval()
