"""Stage ``student``: the denoiser distilled to few steps, by consistency distillation or on couplings."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.denoiser import TIMESTEPS, MotionDenoiser
from echo_augment.augmentor.mcdm.transport import MotionTransport

from . import denoiser
from .couplings import couplings_of
from .denoiser import condition, denoising_loss, draw_noise, frames_mean, noise_scheduler
from .motions import make_copies

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 5  # of random numbers
HUBER = 0.03  # of the pseudo-Huber distance, in standard deviations of the latents


def consistency_loss(
    source: MotionDenoiser, transport: MotionTransport | None, scale: float, *, grid: int, noise_offset: float
) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Return the distance of the student's clips from noise, and from it one DDIM step of the source generator later.

    Consistency distillation (Song et al., arXiv 2303.01469): the student learns to jump from anywhere on the source
    generator's path to the path's end. As in arXiv 2310.14189 the target is the student itself, without gradient, and
    the distance is pseudo-Huber. With v-prediction the clean latents are ``alpha x - sigma v``, which is x itself
    without noise, so that the boundary condition holds by itself. Motion is never withheld: a student knows no
    classifier-free guidance.

    Args:
        source: denoiser of the source generator.
        transport: hints at where the latents are; None for a denoiser that takes no hints.
        scale: unit of the latents; the transport's are in latent units.
        grid: steps of its path.
        noise_offset: as in its training.
    """
    scheduler = noise_scheduler()
    bound = float(scheduler.config["clip_sample_range"])

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        clean = batch["latents"]
        device, count = clean.device, len(clean)
        alphas = scheduler.alphas_cumprod.to(device).sqrt()
        sigmas = (1 - scheduler.alphas_cumprod.to(device)).sqrt()
        noise = draw_noise(clean, noise_offset)
        rung = torch.randint(1, grid + 1, (count,), device=device)
        late = rung * TIMESTEPS // grid - 1
        early = (rung - 1) * TIMESTEPS // grid - 1  # -1 is the path's end
        motion, hint = condition(transport, batch, scale)
        none = torch.zeros(
            count, dtype=torch.bool, device=device
        )  # keeps every parameter in the graph, as DDP wants it

        def made(network: nn.Module, noisy: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
            """Return the clean latents that a network sees in noisy ones, and the noise."""
            v = network(noisy, steps, batch["reference"], motion, none, hint).float()
            alpha, sigma = (level[steps][:, None, None, None, None] for level in (alphas, sigmas))
            ends = (alpha * noisy - sigma * v).clamp(-bound, bound)
            return ends, (noisy - alpha * ends) / sigma

        noisy = scheduler.add_noise(clean, noise, late)
        # First with gradient: some versions of autocast cache weights cast without one for the rest of a step.
        found, _ = made(model, noisy, late)
        with torch.no_grad():
            ends, left = made(source, noisy, late)
            below = early.clamp_min(0)
            alpha, sigma = (level[below][:, None, None, None, None] for level in (alphas, sigmas))
            nearer, _ = made(model, alpha * ends + sigma * left, below)
            target = torch.where(early[:, None, None, None, None] < 0, ends, nearer)
        square = (found - target).pow(2).mean((2, 3, 4))
        value = frames_mean((square + HUBER**2).sqrt() - HUBER, batch["there"])
        return {"loss": value, "error": frames_mean(square.detach(), batch["there"])}

    return loss


def train(context: "StageContext") -> dict[str, float]:
    """Train a copy of the denoiser to need few steps, and save it."""
    settings, source, transport = context.preset.student, context.networks.denoiser, context.networks.transport
    scale = context.latents.scale
    student = copy.deepcopy(source).requires_grad_(True)
    if context.settings.checkpointing:
        student.enable_gradient_checkpointing()
    if settings.kind == "reflow":
        draw, loss = couplings_of(context).draw, denoising_loss(0, 0, transport, scale)
    else:
        offset = context.preset.denoiser.noise_offset
        draw = context.windows.draw
        loss = consistency_loss(source, transport, scale, grid=settings.grid, noise_offset=offset)
    result = context.train(
        student,
        lambda rng, share: draw(rng, settings.batch, share),
        loss,
        settings,
        name="student",
        stream=STREAM,
        finish=make_copies,
    )
    context.save(student, "student")
    losses = {key: value for key, value in result.losses.items() if key != "grad_norm"}
    return {"steps": result.steps, "seconds": result.seconds, **losses}


def load(context: "StageContext") -> None:
    """Load the trained student in the denoiser's place."""
    denoiser.load(context, "student")
