"""A generator's clips of given reference frames and motion codes, and how long they took."""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from echo_augment.augmentor.devices import fast_dtype
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache.system.progress import follow

Clips = npt.NDArray[np.uint8]
BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How clips are sampled.

    Attributes:
        steps: of the sampler.
        sampler: ``ddim``, ``dpm`` or ``ddpm``.
        seed: of the noise; equal seeds give equal noise, whatever the rest.
        guidance: scale of classifier-free guidance on the motion; 1 for none.
    """

    steps: int
    sampler: str
    seed: int
    guidance: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generated:
    """Clips of a generator.

    Attributes:
        clips: as the pipeline gives them, ``(N, T, H, W)`` uint8.
        plain: the same without the reference's detail.
        seconds: for a clip, decode and detail included.
    """

    clips: Clips
    plain: Clips
    seconds: float


def generate(pipeline: MCDMPipeline, references: Clips, codes: list[Tensor], sampling: Sampling) -> Generated:
    """Generate a clip of each reference frame and motion.

    Args:
        pipeline: the generator.
        references: ED frames of the appearance donors, ``(N, H, W)`` uint8.
        codes: motion codes, one ``(F, D)`` tensor a clip.
        sampling: steps, sampler and noise.
    """
    device, dtype = pipeline.device, fast_dtype(pipeline.device)
    made: list[Clips] = []
    plain: list[Clips] = []
    started = time.perf_counter()
    for first in follow(range(0, len(codes), BATCH), f"{sampling.sampler}-{sampling.steps}", unit="batch"):
        part = slice(first, first + BATCH)
        noise = [torch.Generator().manual_seed(sampling.seed * 100_000 + i) for i in range(len(codes))[part]]
        shown = torch.from_numpy(references[part])
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            output = pipeline(
                shown,
                torch.stack(codes[part]),
                num_inference_steps=sampling.steps,
                sampler=sampling.sampler,
                guidance_scale=sampling.guidance,
                detail=False,
                generator=noise,
            )
        clips = output[0].numpy()
        plain += list(clips)
        moves = pipeline.displacements(shown, torch.stack(codes[part])) if pipeline.config["detail"] else None
        if moves is not None:
            clips = pipeline.add_detail(output[0], shown, moves).cpu().numpy()
        made += list(clips)
    seconds = (time.perf_counter() - started) / len(codes)
    return Generated(clips=np.stack(made), plain=np.stack(plain), seconds=seconds)
