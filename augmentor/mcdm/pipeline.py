"""``MCDMPipeline``: a reference frame and motion codes in, clips out.

The bundled weights take no denoising step (``steps`` 0): the transport alone moves the reference frame's latents. The
denoiser computes from one step on only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DiffusionPipeline
from diffusers.models.modeling_utils import ModelMixin
from diffusers.schedulers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.utils import BaseOutput
from torch import Tensor

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.arguments import check_choice

from ..devices import refuse_device_in_worker
from .codec import decode, encode
from .denoiser import MotionDenoiser, predict_windows
from .flow import carry_details
from .mafe import MAFE
from .motion import Codes, flow_codes, mafe_codes, transport_codes, vector_code
from .phase import REFERENCES, Heart
from .published.ef_token import CODE as EF
from .reid import ReIDEncoder
from .transport import MotionTransport

BUNDLED = Path(__file__).parent / "weights" / "tiny"
CODES = ("transport", "mafe", "flow", "vector")  # where motion codes come from
SAMPLERS = {"ddim": DDIMScheduler, "ddpm": DDPMScheduler, "dpm": DPMSolverMultistepScheduler}
ONE_CODE = ("vector", EF)  # codes of which a clip has one


@dataclass
class MCDMOutput(BaseOutput):
    """What the pipeline returns.

    Attributes:
        clips: ``(B, L, H, W)`` uint8, on the CPU.
    """

    clips: Tensor


class MCDMPipeline(DiffusionPipeline):
    """Generates clips of one patient's heart, the appearance donor's, that beats as another one's, the motion donor's.

    A latent video diffusion model conditioned on motion features and a reference frame (MCDM, arXiv 2512.09418),
    saved and loaded like any diffusers pipeline: ``save_pretrained``, ``from_pretrained`` of a folder or Hub id,
    ``push_to_hub``.

    Args:
        vae: the codec; any diffusers ``AutoencoderKL`` that shrinks by 8.
        denoiser: predicts v.
        mafe: gives the motion codes, or the flow that the transport reads them from; None for ``code="ef"``.
        reid: recognises a heart; for the swap test and the privacy check. None: there is neither.
        scheduler: the diffusion's; the sampler is chosen per call.
        frames: frames of a clip.
        rate: frames per second of a clip.
        size: side of a frame in pixels.
        transport: reads motion codes, and moves the reference by them; for ``code="transport"``.
        code: where the motion codes come from: ``"transport"``, ``"mafe"``, ``"flow"`` or ``"vector"``; ``"ef"``: there
            is no motion, a clip is told an EF (`echo_augment.augmentor.mcdm.published.ef_token`).
        code_mean: subtracted from every code; one number per dimension.
        code_std: divides every code.
        preset: name of the configuration it was trained by.
        detail: whether clips get the reference frame's fine detail
            (`echo_augment.augmentor.mcdm.flow.carry_detail`), which a small codec cannot hold.
        steps: sampler steps if a call names none: as few as carry the motion donor's EF as well as the best number
            does (``echo-augment fidelity curve=[1,2,4,8,16]`` finds it for given weights; from 0 with a transport).
            With 0 the transport alone moves the reference, without any diffusion.
        sampler: if a call names none.
        reference: ``"ed"`` or ``"any"``: which frames trained it as reference frames.

    Raises:
        EchoAugmentError: ``code``, ``transport`` and the denoiser's ``hint`` do not belong together.

    >>> from echo_augment.augmentor.data.phantom import render, sample_phantom
    >>> from echo_augment.augmentor.mcdm import make_heart
    >>> phantom = sample_phantom(3)
    >>> clip = render(phantom.motion, phantom.appearance, seed=3)
    >>> heart = make_heart(phantom.name, clip.frames, clip.fps, rate=12.5, size=112)
    >>> pipeline = MCDMPipeline.load("bundled")
    >>> reference, codes = torch.from_numpy(heart.reference.copy()), pipeline.encode_motion(heart)
    >>> pipeline(reference[None], codes[None, :16], num_inference_steps=0, detail=False).clips.shape
    torch.Size([1, 16, 112, 112])
    """

    _optional_components = ["transport", "mafe", "reid"]  # noqa: RUF012  # diffusers reads the list from the class

    def __init__(
        self,
        vae: AutoencoderKL,
        denoiser: MotionDenoiser,
        mafe: MAFE | None,
        reid: ReIDEncoder | None,
        scheduler: DDIMScheduler | DDPMScheduler,
        transport: MotionTransport | None = None,
        frames: int = 16,
        rate: float = 12.5,
        size: int = 112,
        code: str = "mafe",
        code_mean: tuple[float, ...] = (0.0,),
        code_std: tuple[float, ...] = (1.0,),
        preset: str = "tiny",
        detail: bool = True,
        steps: int = 8,
        sampler: str = "ddim",
        reference: str = "ed",
    ) -> None:
        super().__init__()
        check_choice("sampler", sampler, tuple(SAMPLERS))
        check_choice("reference", reference, REFERENCES)
        if len({code == "transport", transport is not None, bool(denoiser.config["hint"])}) > 1:
            raise EchoAugmentError(
                f"code={code!r} with{'' if transport is not None else 'out'} a transport and a denoiser of "
                f"hint={denoiser.config['hint']} do not belong together",
                "All three for a motion transport, or none",
            )
        self.register_modules(
            vae=vae, denoiser=denoiser, mafe=mafe, reid=reid, scheduler=scheduler, transport=transport
        )
        self.register_to_config(
            frames=frames,
            rate=rate,
            size=size,
            code=code,
            code_mean=list(code_mean),
            code_std=list(code_std),
            preset=preset,
            detail=detail,
            steps=steps,
            sampler=sampler,
            reference=reference,
        )

    @classmethod
    def load(cls, name: str, **kwargs: Any) -> "MCDMPipeline":
        """Load the pipeline of a folder or Hub id, or the one in this package for ``"bundled"``.

        Raises:
            EchoAugmentError: nothing there that can be loaded.
        """
        folder = BUNDLED if name == "bundled" else name
        if Path(folder).is_dir() and not (Path(folder) / "model_index.json").is_file():
            raise EchoAugmentError(
                f"generator {folder}: there is no model_index.json",
                "Name the folder that train-generator wrote (its generator/), a Hub id, or 'bundled'",
            )
        try:
            options = {"torch_dtype": torch.float32, "use_safetensors": True} | kwargs
            pipeline: MCDMPipeline = cls.from_pretrained(str(folder), **options)
            return pipeline
        except (OSError, ValueError, KeyError) as error:
            raise EchoAugmentError(
                f"generator {name!r} cannot be loaded ({error})", "Name a folder, a Hub id, or 'bundled'"
            ) from error

    def enable_model_cpu_offload(self, *_: Any, **_more: Any) -> None:
        """Raise: the networks call each other's methods in turn, which diffusers' offloading does not follow.

        Raises:
            EchoAugmentError: always, with what to do instead.
        """
        size = sum(part.num_parameters() for part in self.components.values() if isinstance(part, ModelMixin)) * 2e-6
        raise EchoAugmentError(
            "MCDMPipeline cannot be offloaded to the CPU in parts",
            f"It is small: pipeline.to('cuda', torch.float16) takes {size:.0f} MB",
        )

    enable_sequential_cpu_offload = enable_model_cpu_offload

    @property
    def least_steps(self) -> int:
        """0 with a transport, whose prediction is a clip already; else 1."""
        return 0 if self.transport is not None else 1

    @property
    def is_relative(self) -> bool:
        """Whether the denoiser's latents are relative to the reference frame's."""
        return not self.denoiser.config["absolute"]

    def encode_motion(self, heart: Heart) -> Tensor:
        """Return a video's normalised motion codes: ``(G, D)``, one a frame of its grid, or ``(1, D)`` for a vector."""
        refuse_device_in_worker(self.device, "MCDMPipeline")
        kind = self.config["code"]
        if kind == EF:
            raise EchoAugmentError(
                "this generator is told an EF and reads no motion", "Give it EF / 100 as motion, of shape (B, 1, 1)"
            )
        codes: Codes
        if kind == "transport":
            codes = transport_codes(self.mafe, self.transport, heart)
        elif kind == "mafe":
            codes = mafe_codes(self.mafe, heart)
        else:
            codes = flow_codes(heart) if kind == "flow" else vector_code(self.mafe, heart)
        mean, std = (torch.tensor(self.config[key]) for key in ("code_mean", "code_std"))
        return (torch.from_numpy(codes) - mean) / std

    @torch.no_grad()
    def __call__(
        self,
        reference_frames: Tensor,
        motion: Tensor,
        *,
        num_inference_steps: int | None = None,
        sampler: str | None = None,
        guidance_scale: float = 1.0,
        detail: bool | None = None,
        frames: int | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        return_dict: bool = True,
    ) -> MCDMOutput | tuple[Tensor]:
        """Generate clips.

        Args:
            reference_frames: the ED frame of each appearance donor, ``(B, H, W)`` uint8.
            motion: normalised codes of the motion donors, ``(B, L, D)``, or ``(B, 1, D)`` for a vector
                (`encode_motion`, then `echo_augment.augmentor.mcdm.motion.stretch`). L is the trained
                number of frames F, or more: then windows of F frames, half of them shared, are denoised together.
            num_inference_steps: denoising steps, at least `least_steps`; by default the pipeline's own number.
                With 0 no noise is drawn, and the sampler has no say.
            sampler: ``"ddim"``, ``"dpm"`` (DPM-Solver++) or ``"ddpm"``; by default the pipeline's own.
            guidance_scale: of classifier-free guidance on the motion; 1 is none, more exaggerates it and costs double.
            detail: overrides the pipeline's own setting.
            frames: L; by default the number of codes, and F for a vector.
            generator: of the noise; one for the batch or one per clip. With one per clip, a clip does not depend on
                its batch.
            return_dict: an :class:`MCDMOutput`, or a plain tuple.

        Raises:
            EchoAugmentError: shapes that do not fit, fewer than F frames, too few steps, guidance without a step, or a
                sampler there is not.
        """
        refuse_device_in_worker(self._execution_device, "MCDMPipeline")
        batch, window = len(reference_frames), int(self.config["frames"])
        vector = self.config["code"] in ONE_CODE
        sampler = str(self.config["sampler"]) if sampler is None else sampler
        length = frames if frames is not None else window if vector or motion.ndim != 3 else motion.shape[1]
        device = self._execution_device
        steps = int(self.config["steps"]) if num_inference_steps is None else num_inference_steps
        self._check(reference_frames, motion, sampler, length, steps, guidance_scale)
        reference = encode(self.vae, reference_frames)
        motion = motion.to(device, self.denoiser.dtype)
        scheduler = SAMPLERS[sampler].from_config(self.scheduler.config)
        if steps:
            scheduler.set_timesteps(steps, device=device)
        shape = (batch, length, *reference.shape[1:])
        latents = _noise(shape, generator) * scheduler.init_noise_sigma
        latents = latents.to(device, self.denoiser.dtype)
        reference = reference.to(self.denoiser.dtype)
        extra = {"generator": generator} if sampler == "ddpm" else {}
        drop = torch.ones(batch, dtype=torch.bool, device=device)
        hint = None
        if self.transport is not None:
            hint = self.transport.predict(reference, motion) / self.denoiser.config["motion_scale"]
        if hint is not None and not steps:
            latents = hint
        for step in self.progress_bar(scheduler.timesteps if steps else []):
            timestep = step.expand(batch)

            def predict(noisy: Tensor, where: slice, timestep: Tensor = timestep) -> Tensor:
                codes = motion if vector else motion[:, where]
                there = None if hint is None else hint[:, where]
                v: Tensor = self.denoiser(noisy, timestep, reference, codes, hint=there)
                if guidance_scale == 1:
                    return v
                free: Tensor = self.denoiser(noisy, timestep, reference, codes, drop, there)
                return free + guidance_scale * (v - free)

            v = predict_windows(predict, scheduler.scale_model_input(latents, step), window)
            latents = scheduler.step(v, step, latents, **extra).prev_sample
        if self.is_relative:
            latents = reference[:, None] + latents * self.denoiser.config["motion_scale"]
        clips = decode(self.vae, latents.flatten(0, 1)).unflatten(0, (batch, length)).cpu()
        if self.config["detail"] if detail is None else detail:
            blurred = decode(self.vae, reference).cpu()
            clips = torch.from_numpy(carry_details(clips.numpy(), reference_frames.cpu().numpy(), blurred.numpy()))
        self.maybe_free_model_hooks()
        return MCDMOutput(clips=clips) if return_dict else (clips,)

    def _check(
        self, reference_frames: Tensor, motion: Tensor, sampler: str, length: int, steps: int, guidance: float
    ) -> None:
        size, window = int(self.config["size"]), int(self.config["frames"])
        if reference_frames.dtype != torch.uint8 or reference_frames.shape[1:] != (size, size):
            raise EchoAugmentError(
                f"reference_frames must be (B, {size}, {size}) uint8, "
                f"got {tuple(reference_frames.shape)} {reference_frames.dtype}"
            )
        codes = 1 if self.config["code"] in ONE_CODE else max(length, window)
        if motion.ndim != 3 or motion.shape[:2] != (len(reference_frames), codes):
            raise EchoAugmentError(f"motion must be (B, {codes}, D) with B as the frames', got {tuple(motion.shape)}")
        if length < window:
            raise EchoAugmentError(f"a clip has at least the {window} frames that trained the denoiser, got {length}")
        if steps < self.least_steps:
            raise EchoAugmentError(f"num_inference_steps must be at least {self.least_steps}, got {steps}")
        if steps == 0 and guidance != 1:
            raise EchoAugmentError(
                f"guidance_scale={guidance} guides denoising, and there is no denoising step",
                "Take num_inference_steps=1 or more",
            )
        check_choice("sampler", sampler, tuple(SAMPLERS))


def _noise(shape: tuple[int, ...], generator: torch.Generator | list[torch.Generator] | None) -> Tensor:
    """Draw Gaussian noise on the CPU, so that a seed means the same on every device."""
    if isinstance(generator, list):
        return torch.stack([torch.randn(shape[1:], generator=one) for one in generator])
    return torch.randn(shape, generator=generator)
