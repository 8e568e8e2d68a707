"""The motion transport's training: frames of a video from the motion of its affine copies."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.transport import MotionTransport

from .motions import Motions

CODE_WEIGHT = 1e-3  # of the codes' mean square in the loss: keeps their size near 1


def transport_loss(scale: float) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Mean squared error of the predicted latents, as a share of the latents' own mean square."""

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        codes, moved = model(batch["flow"], batch["frames"], batch["disks"], batch["reference"])
        error = (moved.float() - batch["relative"]).pow(2).mean() / scale**2
        return {"loss": error + CODE_WEIGHT * codes.float().pow(2).mean(), "error": error}

    return loss


def explained(transport: MotionTransport, motions: Motions, count: int = 512) -> float:
    """Share of what moves in frames of the watched hearts that is predicted from their copies' codes."""
    batch = motions.draw(np.random.default_rng(0), count, watched=True)
    device = transport.device
    errors = []
    with torch.no_grad():
        for at in range(0, count, 64):
            part = {key: value[at : at + 64].to(device) for key, value in batch.items()}
            moved = transport(part["flow"], part["frames"], part["disks"], part["reference"])[1]
            errors.append((moved - part["relative"]).cpu())
    error = torch.cat(errors).pow(2).mean() / batch["relative"].pow(2).mean()
    return float(1 - error)
