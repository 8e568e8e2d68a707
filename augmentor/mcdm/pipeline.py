"""``MCDMPipeline``: a reference frame and motion codes in, clips out.

With 0 steps the transport alone moves the reference frame's latents; the denoiser computes from one step on only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.arguments import check_choice
from echo_augment.cache.system.extras import needs

from ..devices import refuse_device_in_worker
from .calls import ONE_CODE, Asked, check_call, draw_noise
from .codec import decode, encode, saved_codec
from .denoiser import MotionDenoiser
from .displacement import carry_detail, carry_masks, fine_detail
from .mafe import MAFE
from .motion import Codes, flow_codes, mafe_codes, transport_codes, vector_code
from .phase import REFERENCES, Heart
from .published.ef_token import CODE as EF
from .published.strict import quietly, told_in_one_error
from .reid import ReIDEncoder
from .residual import ResidualDenoiser
from .sampling import SAMPLERS, Guide, denoise
from .transport import MotionTransport

with needs("generate"):
    from diffusers import AutoencoderKL
    from diffusers.models.modeling_utils import ModelMixin
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline  # diffusers itself shows type checkers a dummy
    from diffusers.schedulers import DDIMScheduler, DDPMScheduler, EDMEulerScheduler
    from diffusers.utils import BaseOutput

BUNDLED = Path(__file__).parent / "weights" / "tiny"
CODES = ("transport", "mafe", "flow", "vector")  # where motion codes come from


@dataclass
class MCDMOutput(BaseOutput):
    """What the pipeline returns.

    Attributes:
        clips: ``(B, L, H, W)`` uint8, on the CPU.
        masks: those of the reference frames as they move, ``(B, L, H, W)`` bool, on the CPU; None if none were given.
    """

    clips: Tensor
    masks: Tensor | None = None


class MCDMPipeline(DiffusionPipeline):
    """Generates clips of one patient's heart, the appearance donor's, that beats as another one's, the motion donor's.

    A latent video diffusion model conditioned on motion features and a reference frame (MCDM, arXiv 2512.09418),
    saved and loaded like any diffusers pipeline: ``save_pretrained``, ``from_pretrained`` of a folder or Hub id,
    ``push_to_hub``.

    Args:
        vae: the codec; any diffusers ``AutoencoderKL`` that shrinks by 8.
        denoiser: predicts v for latents; or samples the residual of the transport's prediction.
        mafe: gives the motion codes, or the flow that the transport reads them from; None for ``code="ef"``.
        reid: recognises a heart; for the swap test and the privacy check. None: there is neither.
        scheduler: the diffusion's, DDIM's or EDM's by the denoiser's kind; the sampler is chosen per call.
        frames: frames of a clip.
        rate: frames per second of a clip.
        size: side of a frame in pixels.
        transport: reads motion codes, and moves the reference by them; for ``code="transport"``.
        code: where the motion codes come from: ``"transport"``, ``"mafe"``, ``"flow"`` or ``"vector"``; ``"ef"``: there
            is no motion, a clip is told an EF (`echo_augment.augmentor.mcdm.published.ef_token`).
        code_mean: subtracted from every code; one number per dimension.
        code_std: divides every code.
        preset: name of the configuration it was trained by.
        detail: whether clips get the reference frame's fine detail, which a small codec cannot hold: carried by the
            transport's displacement (`echo_augment.augmentor.mcdm.displacement.carry_detail`). Without a transport
            there is none.
        steps: sampler steps if a call names none: as few as carry the motion donor's EF as well as the best number
            does (``echo-augment fidelity curve=[1,2,4,8,16]`` finds it for given weights; from 0 with a transport).
            With 0 the transport alone moves the reference, without any diffusion.
        sampler: if a call names none.
        reference: ``"ed"`` or ``"any"``: which frames trained it as reference frames.

    Raises:
        EchoAugmentError: ``code``, ``transport``, ``scheduler`` and the denoiser's kind do not belong together.

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
        denoiser: MotionDenoiser | ResidualDenoiser,
        mafe: MAFE | None,
        reid: ReIDEncoder | None,
        scheduler: DDIMScheduler | DDPMScheduler | EDMEulerScheduler,
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
        check_choice("sampler", sampler, SAMPLERS)
        check_choice("reference", reference, REFERENCES)
        residual = isinstance(denoiser, ResidualDenoiser)
        if len({code == "transport", transport is not None, residual}) > 1:
            raise EchoAugmentError(
                f"code={code!r} with{'' if transport is not None else 'out'} a transport and {type(denoiser).__name__} "
                "do not belong together",
                "A motion transport takes code='transport' and a ResidualDenoiser; without one there is neither",
            )
        if residual != isinstance(scheduler, EDMEulerScheduler):
            raise EchoAugmentError(
                f"{type(denoiser).__name__} and {type(scheduler).__name__} do not belong together",
                "A residual denoiser takes an EDMEulerScheduler, the other one a DDIMScheduler",
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
            detail=detail and transport is not None,
            steps=steps,
            sampler=sampler,
            reference=reference,
        )

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **kwargs: Any) -> Any:
        """Load a saved pipeline as diffusers does, but no network whose weights are not all there.

        Args:
            pretrained_model_name_or_path: folder, Hub id, or ``"bundled"`` for the pipeline in this package.
            kwargs: of diffusers' ``from_pretrained``.

        Raises:
            EchoAugmentError: nothing there that can be loaded, or a weight is missing, extra or of another shape.
        """
        named = str(pretrained_model_name_or_path)
        where = str(BUNDLED) if named == "bundled" else named
        with told_in_one_error(where):
            if "vae" not in kwargs:
                kwargs["vae"] = saved_codec(where, subfolder="vae", **kwargs)
            return super().from_pretrained(where, **kwargs)

    @classmethod
    @quietly()
    def load(cls, name: str, **kwargs: Any) -> "MCDMPipeline":
        """Load as `from_pretrained`, without a bar, in fp32 unless another type is named, and safetensors only.

        Raises:
            EchoAugmentError: as `from_pretrained`.
        """
        kwargs.setdefault("use_safetensors", True)
        if "dtype" not in kwargs:
            kwargs.setdefault("torch_dtype", torch.float32)
        pipeline: MCDMPipeline = cls.from_pretrained(name, **kwargs)
        return pipeline

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
        return isinstance(self.denoiser, ResidualDenoiser) or not self.denoiser.config["absolute"]

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
    def displacements(self, reference_frames: Tensor, motion: Tensor) -> Tensor | None:
        """Return where the transport moves reference frames ``(B, H, W)`` by codes ``(B, L, D)``: ``(B, L, 2, h, w)``.

        In pixels, x before y, from a place of a clip's frame to where the reference shows it; None without a transport.
        """
        if self.transport is None:
            return None
        reference = encode(self.vae, reference_frames).to(self.transport.dtype)
        moves: Tensor = self.transport.predict_both(reference, motion.to(reference))[1]
        return moves

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
        masks: Tensor | None = None,
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
            sampler: ``"ddim"`` (for a residual denoiser EDM's Euler steps, which are the same), ``"dpm"``
                (DPM-Solver++) or ``"ddpm"`` (not for a residual denoiser); by default the pipeline's own.
            guidance_scale: of classifier-free guidance on the motion; 1 is none, more exaggerates it and costs double.
                A residual denoiser has none: its motion is the transport's.
            detail: overrides the pipeline's own setting; for a transport, whose displacement carries it.
            frames: L; by default the number of codes, and F for a vector.
            masks: LV masks of the reference frames, ``(B, H, W)`` bool, to move with the tissue; for a generator with
                a transport.
            generator: of the noise; one for the batch or one per clip. With one per clip, a clip does not depend on
                its batch.
            return_dict: an :class:`MCDMOutput`, or a plain tuple.

        Raises:
            EchoAugmentError: shapes that do not fit, fewer than F frames, too few steps, guidance without a step, a
                sampler there is not, or detail or masks that nothing moves.
        """
        refuse_device_in_worker(self._execution_device, "MCDMPipeline")
        batch, window = len(reference_frames), int(self.config["frames"])
        vector = self.config["code"] in ONE_CODE
        sampler = str(self.config["sampler"]) if sampler is None else sampler
        length = frames if frames is not None else window if vector or motion.ndim != 3 else motion.shape[1]
        device = self._execution_device
        steps = int(self.config["steps"]) if num_inference_steps is None else num_inference_steps
        asked = Asked(sampler=sampler, length=length, steps=steps, guidance=guidance_scale, detail=detail)
        check_call(self, reference_frames, motion, masks, asked)
        reference = encode(self.vae, reference_frames)
        motion = motion.to(device, self.denoiser.dtype)
        noise = draw_noise((batch, length, *reference.shape[1:]), generator).to(device, self.denoiser.dtype)
        reference = reference.to(self.denoiser.dtype)
        expected = moves = None
        if self.transport is not None:
            expected, moves = self.transport.predict_both(reference, motion)
        if expected is not None and not steps:
            relative = expected
        else:
            guide = Guide(reference, motion, expected, window=window, vector=vector, scale=guidance_scale)
            noises = generator if sampler == "ddpm" else None
            bar = self.progress_bar
            relative = denoise(self.denoiser, self.scheduler, noise, guide, sampler, steps, generator=noises, bar=bar)
        latents = reference[:, None] + relative if self.is_relative else relative
        clips = decode(self.vae, latents.flatten(0, 1)).unflatten(0, (batch, length))
        if moves is not None and (self.config["detail"] if detail is None else detail):
            clips = self.add_detail(clips, reference_frames, moves)
        moved = None if masks is None or moves is None else carry_masks(masks.to(device), moves).cpu()
        clips = clips.cpu()
        self.maybe_free_model_hooks()
        return MCDMOutput(clips=clips, masks=moved) if return_dict else (clips,)

    def add_detail(self, clips: Tensor, reference_frames: Tensor, moves: Tensor) -> Tensor:
        """Return clips ``(B, L, H, W)`` uint8 with the fine detail of their reference frames ``(B, H, W)`` uint8.

        Args:
            clips: from the codec.
            reference_frames: of the appearance donors.
            moves: the displacement fields, ``(B, L, 2, h, w)``.
        """
        blurred = decode(self.vae, encode(self.vae, reference_frames))
        return carry_detail(clips, fine_detail(reference_frames.to(clips.device), blurred), moves)
