"""What is diffused, and how: whole latents by v-prediction, or the residual of the transport's prediction by EDM."""

from dataclasses import dataclass
from typing import Protocol

import torch
from diffusers.schedulers import DDIMScheduler, EDMEulerScheduler
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.denoiser import BETAS, TIMESTEPS
from echo_augment.augmentor.mcdm.residual import edm_scheduler
from echo_augment.augmentor.mcdm.transport import MotionTransport

from ..training.together import strata

LOG_LEVEL = (-0.4, 1.2)  # mean and deviation of the logarithm of the noise levels that train a residual denoiser


CLIP_RANGE, SPACING = 6.0, "trailing"
SPACINGS = ("leading", "trailing")


def noise_scheduler(clip_range: float = CLIP_RANGE, spacing: str = SPACING) -> DDIMScheduler:
    """Return MCDM's diffusion: 1,000 steps, linear betas 1e-4 to 0.02, v-prediction.

    Args:
        clip_range: standard deviations at which clean latents are clipped. The reference's 4 is for latents as they
            are; the tails of latents relative to the reference frame's are longer.
        spacing: of a sampler's timesteps, ``trailing`` (from pure noise on) or ``leading``, as the reference has them.
    """
    return DDIMScheduler(
        num_train_timesteps=TIMESTEPS,
        beta_start=BETAS[0],
        beta_end=BETAS[1],
        beta_schedule="linear",
        prediction_type="v_prediction",
        clip_sample=True,
        clip_sample_range=clip_range,
        timestep_spacing=spacing,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A batch as a diffusion sees it.

    Attributes:
        clean: what is diffused, ``(B, F, C, h, w)``, of standard deviation 1.
        reference: latents of the reference frames, ``(B, C, h, w)``.
        motion: codes ``(B, F, D)``, or ``(B, 1, D)`` for a vector.
        expected: the transport's prediction, ``(B, F, C, h, w)`` in latent units; None without a transport.
    """

    clean: Tensor
    reference: Tensor
    motion: Tensor
    expected: Tensor | None = None


class Diffusion(Protocol):
    """One kind of diffusion: ``noisy = alpha * clean + sigma * noise``."""

    def given(self, batch: dict[str, Tensor]) -> Given:
        """Return a batch of windows as this diffusion sees it; one with ``clean`` says itself what is diffused."""
        ...

    def levels(self, count: int, device: torch.device) -> Tensor:
        """Draw noise levels ``(B,)`` to train at, one a stratum: the loss of a small batch then varies much less."""
        ...

    def path(self, steps: int, device: torch.device) -> Tensor:
        """Return the noise levels ``(steps,)`` of a sampler, from pure noise on."""
        ...

    def shares(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and sigma at noise levels ``(B,)``, ``(B, 1, 1, 1, 1)`` each."""
        ...

    def ends(
        self, net: nn.Module, noisy: Tensor, levels: Tensor, given: Given, drop: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return what a denoiser takes for clean, ``(B, F, C, h, w)``, and its square error against ``given.clean``.

        The error ``(B, F)`` is weighted as this diffusion trains: alike at every noise level.
        """
        ...


class LatentDiffusion:
    """MCDM's: v-prediction of whole latents, in units of their spread about the reference frame's.

    Args:
        scheduler: see `noise_scheduler`; None for its defaults.
    """

    def __init__(self, scheduler: DDIMScheduler | None = None) -> None:
        self.scheduler = scheduler or noise_scheduler()
        self.kept = self.scheduler.alphas_cumprod
        self._paths: dict[tuple[int, torch.device], Tensor] = {}
        self.bound = float(self.scheduler.config["clip_sample_range"])

    def given(self, batch: dict[str, Tensor]) -> Given:
        """Return the batch; what is diffused are its latents, or its ``clean``."""
        return Given(batch.get("clean", batch["latents"]), batch["reference"], batch["motion"])

    def levels(self, count: int, device: torch.device) -> Tensor:
        """Draw timesteps ``(B,)``."""
        return (strata(count, device) * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)

    def path(self, steps: int, device: torch.device) -> Tensor:
        """Return timesteps, the last one first."""
        if self.scheduler.config["timestep_spacing"] != SPACING:
            if (steps, device) not in self._paths:
                self.scheduler.set_timesteps(steps, device=device)
                self._paths[steps, device] = self.scheduler.timesteps
            return self._paths[steps, device]
        return torch.arange(steps, 0, -1, device=device) * TIMESTEPS // steps - 1

    def shares(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and sigma, whose squares sum to 1."""
        self.kept = self.kept.to(levels.device)  # once: a step that copies numbers to a GPU waits for it
        kept = self.kept[levels][:, None, None, None, None]
        return kept.sqrt(), (1 - kept).sqrt()

    def ends(
        self, net: nn.Module, noisy: Tensor, levels: Tensor, given: Given, drop: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the clean latents, clipped as the sampler clips them, and the error of v."""
        v = net(noisy, levels, given.reference, given.motion, drop).float()
        alpha, sigma = self.shares(levels)
        noise = (noisy - alpha * given.clean) / sigma
        error = (v - (alpha * noise - sigma * given.clean)).pow(2).mean((2, 3, 4))
        return (alpha * noisy - sigma * v).clamp(-self.bound, self.bound), error


class ResidualDiffusion:
    """EDM's (arXiv 2206.00364) of what the transport's prediction leaves open, in units of its spread.

    Args:
        transport: predicts latents.
        scale: unit of the batches' latents.
        spread: standard deviation of the residual, a number a latent channel.
    """

    def __init__(self, transport: MotionTransport, scale: float, spread: tuple[float, ...]) -> None:
        self.transport, self.scale, self.spread = transport, scale, torch.tensor(spread)[:, None, None]
        self.scheduler: EDMEulerScheduler = edm_scheduler()
        self._paths: dict[tuple[int, torch.device], Tensor] = {}

    def given(self, batch: dict[str, Tensor]) -> Given:
        """Return the batch; what is diffused is the residual, or its ``clean``."""
        motion, reference = batch["motion"], batch["reference"]
        with torch.no_grad():
            expected = self.transport.predict(reference, motion).float()
        self.spread = self.spread.to(expected)  # once, as above
        left = (batch["latents"] * self.scale - expected) / self.spread
        return Given(batch.get("clean", left), reference, motion, expected)

    def levels(self, count: int, device: torch.device) -> Tensor:
        """Draw log-normal noise levels ``(B,)``."""
        mean, deviation = LOG_LEVEL
        normal = torch.special.ndtri(strata(count, device).clamp(1e-4, 1 - 1e-4))
        return (mean + deviation * normal).exp()

    def path(self, steps: int, device: torch.device) -> Tensor:
        """Return the noise levels of the sampler."""
        if (steps, device) not in self._paths:
            self.scheduler.set_timesteps(steps, device=device)
            self._paths[steps, device] = self.scheduler.sigmas[:-1].to(device)
        return self._paths[steps, device]

    def shares(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 and the noise level: nothing of the residual is taken away."""
        sigma = levels[:, None, None, None, None]
        return torch.ones_like(sigma), sigma

    def ends(
        self, net: nn.Module, noisy: Tensor, levels: Tensor, given: Given, drop: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the clean residual, and the error of the network's output; ``drop`` has no say."""
        sigma = levels[:, None, None, None, None]
        through = self.scheduler.precondition_inputs(noisy, sigma)
        level = self.scheduler.precondition_noise(levels)
        out = net(through, level, given.reference, given.motion, given.expected).float()
        clean: Tensor = self.scheduler.precondition_outputs(noisy, out, sigma)
        weight = (sigma**2 + 1) / sigma**2  # of a denoiser's error, so that the network's own counts alike everywhere
        return clean, (weight * (clean - given.clean).pow(2)).mean((2, 3, 4))


def path_end(diffusion: Diffusion, net: nn.Module, noise: Tensor, given: Given, steps: int) -> Tensor:
    """Return where Euler's steps (DDIM's) take noise ``(B, F, C, h, w)``: what is clean then, of the same shape."""
    levels = diffusion.path(steps, noise.device)
    noisy = noise * diffusion.shares(levels[:1])[1]
    ends = noise
    for place, level in enumerate(levels):
        now = level.expand(len(noise))
        ends, _ = diffusion.ends(net, noisy, now, given)
        if place + 1 < len(levels):
            alpha, sigma = diffusion.shares(now)
            later, less = diffusion.shares(levels[place + 1].expand(len(noise)))
            noisy = later * ends + less * (noisy - alpha * ends) / sigma
    return ends
