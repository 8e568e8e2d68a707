"""What a pipeline is asked for in a call: checked before any work; and the noise that a call begins with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.arguments import check_choice

from .published.ef_token import CODE as EF
from .residual import ResidualDenoiser
from .sampling import SAMPLERS

if TYPE_CHECKING:
    from .pipeline import MCDMPipeline

ONE_CODE = ("vector", EF)  # codes of which a clip has one


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How clips are asked for.

    Attributes:
        sampler: its name.
        length: frames of a clip.
        steps: denoising steps.
        guidance: scale of classifier-free guidance; 1 for none.
        detail: whether clips are to get the reference frames' detail; None: as the pipeline's own setting says.
    """

    sampler: str
    length: int
    steps: int
    guidance: float
    detail: bool | None


def check_sampler(pipeline: "MCDMPipeline", sampler: str, guidance: float = 1) -> None:
    """Check that the pipeline's denoiser can be sampled so.

    Args:
        pipeline: the generator.
        sampler: ``"ddim"``, ``"dpm"`` or ``"ddpm"``.
        guidance: scale of classifier-free guidance; 1 for none.

    Raises:
        EchoAugmentError: there is no such sampler, or DDPM or guidance is asked of a residual denoiser.
    """
    check_choice("sampler", sampler, SAMPLERS)
    if isinstance(pipeline.denoiser, ResidualDenoiser) and (sampler == "ddpm" or guidance != 1):
        given = "sampler=ddpm" if sampler == "ddpm" else f"guidance_scale={guidance}"
        raise EchoAugmentError(f"{given} is not for a residual denoiser", "Take sampler=ddim or dpm, no guidance")


def check_call(
    pipeline: "MCDMPipeline", reference_frames: Tensor, motion: Tensor, masks: Tensor | None, asked: Asked
) -> None:
    """Raise unless a pipeline can do what it is asked for; arguments as it takes them.

    Raises:
        EchoAugmentError: naming what does not fit.
    """
    sampler, length, steps, guidance = asked.sampler, asked.length, asked.steps, asked.guidance
    size, window = int(pipeline.config["size"]), int(pipeline.config["frames"])
    if reference_frames.dtype != torch.uint8 or reference_frames.shape[1:] != (size, size):
        raise EchoAugmentError(
            f"reference_frames must be (B, {size}, {size}) uint8, "
            f"got {tuple(reference_frames.shape)} {reference_frames.dtype}"
        )
    codes = 1 if pipeline.config["code"] in ONE_CODE else max(length, window)
    if motion.ndim != 3 or motion.shape[:2] != (len(reference_frames), codes):
        raise EchoAugmentError(f"motion must be (B, {codes}, D) with B as the frames', got {tuple(motion.shape)}")
    if length < window:
        raise EchoAugmentError(f"a clip has at least the {window} frames that trained the denoiser, got {length}")
    if steps < pipeline.least_steps:
        raise EchoAugmentError(f"num_inference_steps must be at least {pipeline.least_steps}, got {steps}")
    if steps == 0 and guidance != 1:
        raise EchoAugmentError(
            f"guidance_scale={guidance} guides denoising, and there is no denoising step",
            "Take num_inference_steps=1 or more",
        )
    check_sampler(pipeline, sampler, guidance)
    if asked.detail and pipeline.transport is None:
        raise EchoAugmentError(
            "detail=True needs a transport, on whose displacement detail rides, and this generator has none",
            "Leave detail out",
        )
    if masks is not None and pipeline.transport is None:
        raise EchoAugmentError(
            "masks need a transport, on whose displacement they ride, and this generator has none",
            "Let a segmenter draw them",
        )
    if masks is not None and masks.shape != reference_frames.shape:
        raise EchoAugmentError(f"masks must have the reference frames' shape, got {tuple(masks.shape)}")


def draw_noise(shape: tuple[int, ...], generator: torch.Generator | list[torch.Generator] | None) -> Tensor:
    """Draw Gaussian noise on the CPU in fp32: a seed means the same on every device, by any default number format."""
    if isinstance(generator, list):
        return torch.stack([torch.randn(shape[1:], generator=one, dtype=torch.float32) for one in generator])
    return torch.randn(shape, generator=generator, dtype=torch.float32)
