"""Stage ``transport``: frames of a video from the motion of its affine copies."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.transport import MotionTransport

from .motions import Motions, make_copies

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 4  # of random numbers
CODE_WEIGHT = 1e-3  # of the codes' mean square in the loss: keeps their size near 1


def transport_loss(scale: float) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Return a loss: the mean squared error of the predicted latents, as a share of the latents' own mean square."""

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        codes, moved = model(batch["flow"], batch["frames"], batch["disks"], batch["reference"])
        error = (moved.float() - batch["relative"]).pow(2).mean() / scale**2
        return {"loss": error + CODE_WEIGHT * codes.float().pow(2).mean(), "error": error}

    return loss


def explained(transport: MotionTransport, motions: Motions, count: int = 512) -> float:
    """Return the share of what moves in frames of the watched videos that is predicted from their copies' codes."""
    batch = make_copies(motions.draw(np.random.default_rng(0), count, watched=True))
    device = transport.device
    errors = []
    with torch.no_grad():
        for at in range(0, count, 64):
            part = {key: value[at : at + 64].to(device) for key, value in batch.items()}
            moved = transport(part["flow"], part["frames"], part["disks"], part["reference"])[1]
            errors.append((moved - part["relative"]).cpu())
    error = torch.cat(errors).pow(2).mean() / batch["relative"].pow(2).mean()
    return float(1 - error)


def train(context: "StageContext") -> dict[str, float]:
    """Train the motion transport, and save it."""
    settings, transport = context.preset.transport, context.networks.transport
    assert transport is not None, "the table runs this stage only with code=transport"
    motions, scale = context.motions, context.latents.scale
    transport.register_to_config(scale=scale)
    result = context.train(
        transport,
        lambda rng, share: motions.draw(rng, settings.batch, share),
        transport_loss(scale),
        settings,
        name="transport",
        stream=STREAM,
        finish=make_copies,
    )
    context.save(transport, "transport")
    return {"steps": result.steps, "seconds": result.seconds, "explained": explained(transport, motions)}


def load(context: "StageContext") -> None:
    """Load the trained motion transport."""
    context.networks.transport = MotionTransport.from_pretrained(context.out / "transport").to(context.device).eval()
