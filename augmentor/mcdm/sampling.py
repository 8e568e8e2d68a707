"""From noise to latents: the steps of a sampler, for denoisers of either kind, over clips of any length."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from echo_augment.cache.system.extras import needs

from .denoiser import MotionDenoiser, predict_windows
from .residual import ResidualDenoiser

with needs("generate"):
    from diffusers.schedulers import (
        DDIMScheduler,
        DDPMScheduler,
        DPMSolverMultistepScheduler,
        EDMDPMSolverMultistepScheduler,
        EDMEulerScheduler,
    )

LATENT_SAMPLERS = {"ddim": DDIMScheduler, "ddpm": DDPMScheduler, "dpm": DPMSolverMultistepScheduler}
RESIDUAL_SAMPLERS = {"ddim": EDMEulerScheduler, "dpm": EDMDPMSolverMultistepScheduler}  # DDIM's steps are Euler's
SAMPLERS = tuple(LATENT_SAMPLERS)


@dataclass(frozen=True, slots=True, kw_only=False, eq=False)
class Guide:
    """What a clip is to become.

    Attributes:
        reference: latents of the reference frames, ``(B, C, h, w)``.
        motion: codes ``(B, L, D)``, or ``(B, 1, D)`` for a vector.
        expected: the transport's prediction relative to the reference, ``(B, L, C, h, w)``; None without a transport.
        window: frames that the denoiser takes at once.
        vector: whether the motion is one code a clip.
        scale: of classifier-free guidance on the motion; 1 is none.
    """

    reference: Tensor
    motion: Tensor
    expected: Tensor | None
    window: int
    vector: bool = False
    scale: float = 1.0


def denoise(
    denoiser: MotionDenoiser | ResidualDenoiser,
    scheduler: DDIMScheduler | DDPMScheduler | EDMEulerScheduler,
    noise: Tensor,
    guide: Guide,
    sampler: str,
    steps: int,
    *,
    generator: torch.Generator | list[torch.Generator] | None = None,
    bar: Callable[[Iterable[Tensor]], Iterable[Tensor]] = iter,
) -> Tensor:
    """Return latents ``(B, L, C, h, w)``, relative to the reference's unless the denoiser's are absolute.

    Args:
        denoiser: predicts v for latents, or EDM's output for the residual of the transport's prediction.
        scheduler: of its diffusion.
        noise: Gaussian, ``(B, L, C, h, w)``.
        guide: what the clip is to become.
        sampler: a key of `LATENT_SAMPLERS` or `RESIDUAL_SAMPLERS`.
        steps: at least 1.
        generator: of the noise that ``ddpm`` adds.
        bar: shows the progress.
    """
    residual = isinstance(denoiser, ResidualDenoiser)
    kinds = RESIDUAL_SAMPLERS if residual else LATENT_SAMPLERS
    solver = kinds[sampler].from_config(scheduler.config)
    solver.set_timesteps(steps, device=noise.device)
    extra = {} if generator is None else {"generator": generator}
    sample = noise * (solver.sigmas[0].to(noise) if residual else solver.init_noise_sigma)
    for step in bar(solver.timesteps):
        predict = residual_step(denoiser, guide, step) if residual else latent_step(denoiser, guide, step)
        found = predict_windows(predict, solver.scale_model_input(sample, step), guide.window)
        sample = solver.step(found, step, sample, **extra).prev_sample
    if residual:
        assert guide.expected is not None, "a pipeline with a residual denoiser has a transport"
        sampled: Tensor = guide.expected + sample * spread_of(denoiser).to(sample)
        return sampled
    scaled: Tensor = sample if denoiser.config["absolute"] else sample * denoiser.config["motion_scale"]
    return scaled


def spread_of(denoiser: ResidualDenoiser) -> Tensor:
    """Return the spread of the residual, ``(C, 1, 1)``: its unit."""
    return torch.tensor(denoiser.config["spread"])[:, None, None]


def residual_step(denoiser: ResidualDenoiser, guide: Guide, step: Tensor) -> Callable[[Tensor, slice], Tensor]:
    """Return what predicts EDM's output for one window of frames at one noise level."""
    level = step.expand(len(guide.reference))

    def predict(noisy: Tensor, where: slice) -> Tensor:
        assert guide.expected is not None, "a pipeline with a residual denoiser has a transport"
        found: Tensor = denoiser(noisy, level, guide.reference, guide.motion[:, where], guide.expected[:, where])
        return found

    return predict


def latent_step(denoiser: MotionDenoiser, guide: Guide, step: Tensor) -> Callable[[Tensor, slice], Tensor]:
    """Return what predicts v for one window of frames at one timestep, guided away from what no motion would give."""
    timestep = step.expand(len(guide.reference))
    drop = torch.ones(len(timestep), dtype=torch.bool, device=timestep.device)

    def predict(noisy: Tensor, where: slice) -> Tensor:
        codes = guide.motion if guide.vector else guide.motion[:, where]
        v: Tensor = denoiser(noisy, timestep, guide.reference, codes)
        if guide.scale == 1:
            return v
        free: Tensor = denoiser(noisy, timestep, guide.reference, codes, drop)
        return free + guide.scale * (v - free)

    return predict
