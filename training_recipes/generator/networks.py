"""The networks of a preset, untrained, and the pipeline that they make up in the end."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diffusers import AutoencoderKL

from echo_augment.augmentor.mcdm.codec import HALF, build_codec
from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.flow import SHRINK
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import CODE_SIZE, feature_channels
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.reid import ReIDEncoder
from echo_augment.augmentor.mcdm.residual import ResidualDenoiser, edm_scheduler
from echo_augment.augmentor.mcdm.transport import MotionTransport

from .denoiser import scheduler_of
from .preset import PresetSettings

if TYPE_CHECKING:
    from .context import StageContext


@dataclass(slots=True)
class Networks:
    """What the stages train."""

    codec: AutoencoderKL
    reid: ReIDEncoder
    mafe: MAFE
    denoiser: MotionDenoiser | ResidualDenoiser
    transport: MotionTransport | None


def build_networks(preset: PresetSettings) -> Networks:
    """Return the networks of a preset, with fresh weights from the global random state (seed it around the call)."""
    codec = build_codec(
        tuple(preset.codec.channels),
        preset.codec.layers,
        preset.codec.groups or 8,
        images=preset.codec.images or 1,
        attention=bool(preset.codec.attention),
        half=preset.codec.half_range or HALF,
    )
    reid = ReIDEncoder(preset.reid.width, preset.reid.embedding)
    mafe = MAFE(
        preset.mafe.width,
        tuple(preset.mafe.depths),
        tuple(preset.mafe.heads),
        preset.mafe.window,
        preset.size,
        preset.mafe.channels,
    )
    transport = build_transport(
        preset, mafe
    )  # in the order of the stages: fresh weights then depend on earlier ones alone
    return Networks(codec, reid, mafe, build_denoiser(preset, mafe), transport)


def build_denoiser(preset: PresetSettings, mafe: MAFE) -> MotionDenoiser | ResidualDenoiser:
    """Return the denoiser of a preset: of the residual with a transport, else of whole latents, with codes to suit."""
    settings = preset.denoiser
    if preset.code == "transport":
        lean = settings.residual
        return ResidualDenoiser(tuple(lean.channels), lean.layers, lean.heads, preset.transport.code_size)
    return MotionDenoiser(
        tuple(settings.channels),
        tuple(settings.attention),
        tuple(settings.heads),
        settings.layers,
        motion=settings.motion,
        code_size=2 * mafe.vector_size if preset.code == "vector" else CODE_SIZE,
        cross_attention_dim=settings.cross_attention_dim,
        absolute=bool(settings.absolute),
    )


def build_transport(preset: PresetSettings, mafe: MAFE) -> MotionTransport | None:
    """Return the motion transport of a preset; None if its codes come from elsewhere."""
    if preset.code != "transport":
        return None
    settings = preset.transport
    return MotionTransport(
        settings.code_size,
        settings.width,
        side=preset.size // SHRINK,
        flow=settings.flow,
        features=feature_channels(mafe) if settings.flow == "mafe" else (),
    )


def build_pipeline(context: "StageContext") -> MCDMPipeline:
    """Return the pipeline of a run whose stages are done and loaded."""
    settings, preset, nets, windows = context.settings, context.preset, context.networks, context.windows
    sampler_steps = preset.student.sampler_steps if settings.last == "student" else preset.sampler_steps
    return MCDMPipeline(
        nets.codec,
        nets.denoiser,
        nets.mafe,
        nets.reid,
        edm_scheduler() if nets.transport is not None else scheduler_of(preset),
        nets.transport,
        frames=preset.frames,
        rate=preset.rate,
        size=preset.size,
        code=preset.code,
        code_mean=tuple(float(value) for value in windows.mean),
        code_std=tuple(float(value) for value in windows.std),
        preset=preset.name,
        detail=preset.detail is not False if context.source is None else context.source.pipeline.config["detail"],
        steps=max(sampler_steps, 0 if nets.transport is not None else 1),
        sampler="ddim" if settings.last == "student" else preset.sampler or "ddim",
        reference=preset.denoiser.reference or "ed",
    )
