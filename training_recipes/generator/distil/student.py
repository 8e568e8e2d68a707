"""Stage ``student``: the denoiser distilled to few steps, by consistency distillation or on couplings."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .. import denoiser
from ..denoiser import denoising_loss, diffusion_of, draw_noise, frames_mean
from ..diffusion import Diffusion
from .couplings import couplings_of

if TYPE_CHECKING:
    from ..context import StageContext

STREAM = 5  # of random numbers
HUBER = 0.03  # of the pseudo-Huber distance, in standard deviations of the latents


def consistency_loss(
    source: nn.Module,
    diffusion: Diffusion,
    *,
    grid: int,
    noise_offset: float = 0.0,
    offset_each: str = "frame",
) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Return the distance of the student's clips from noise, and from it one DDIM step of the source generator later.

    Consistency distillation (Song et al., arXiv 2303.01469): the student learns to jump from anywhere on the source
    generator's path to the path's end. As in arXiv 2310.14189 the target is the student itself, without gradient, and
    the distance is pseudo-Huber. With v-prediction and with EDM's preconditioning alike the clean end is the noisy one
    itself where there is no noise, so that the boundary condition holds by itself. Motion is never withheld: a student
    knows no classifier-free guidance.

    Args:
        source: denoiser of the source generator.
        diffusion: that which it was trained by.
        grid: steps of its path.
        noise_offset: as in its training.
        offset_each: likewise.
    """

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        given = diffusion.given(batch)
        device, count = given.clean.device, len(given.clean)
        path = diffusion.path(grid, device)
        place = torch.randint(grid, (count,), device=device)
        late, early = path[place], path[(place + 1).clamp(max=grid - 1)]
        noise = draw_noise(given.clean, noise_offset, offset_each)
        none = torch.zeros(count, dtype=torch.bool, device=device)  # keeps every parameter in the graph, as DDP wants

        alpha, sigma = diffusion.shares(late)
        noisy = alpha * given.clean + sigma * noise
        # First with gradient: some versions of autocast cache weights cast without one for the rest of a step.
        found, _ = diffusion.ends(model, noisy, late, given, none)
        with torch.no_grad():
            ends, _ = diffusion.ends(source, noisy, late, given, none)
            later, less = diffusion.shares(early)
            nearer, _ = diffusion.ends(model, later * ends + less * (noisy - alpha * ends) / sigma, early, given, none)
            target = torch.where((place == grid - 1)[:, None, None, None, None], ends, nearer)
        square = (found - target).pow(2).mean((2, 3, 4))
        value = frames_mean((square + HUBER**2).sqrt() - HUBER, batch["there"])
        return {"loss": value, "error": frames_mean(square.detach(), batch["there"])}

    return loss


def train(context: "StageContext") -> dict[str, float]:
    """Train a copy of the denoiser to need few steps, and save it."""
    settings, source, diffusion = context.preset.student, context.networks.denoiser, diffusion_of(context)
    student = copy.deepcopy(source).requires_grad_(True)
    if context.settings.checkpointing:
        student.enable_gradient_checkpointing()
    if settings.kind == "reflow":
        draw, loss = couplings_of(context).draw, denoising_loss(diffusion)
    else:
        draw = context.windows.draw
        offset = context.preset.denoiser.noise_offset if context.networks.transport is None else 0.0
        each = context.preset.denoiser.offset_each or "frame"
        loss = consistency_loss(source, diffusion, grid=settings.grid, noise_offset=offset, offset_each=each)
    result = context.train(
        student, lambda rng, share: draw(rng, settings.batch, share), loss, settings, name="student", stream=STREAM
    )
    context.save(student, "student")
    losses = {key: value for key, value in result.losses.items() if key != "grad_norm"}
    return {"steps": result.steps, "seconds": result.seconds, **losses}


def load(context: "StageContext") -> None:
    """Load the trained student in the denoiser's place."""
    denoiser.load(context, "student")
