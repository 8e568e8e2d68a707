"""The untrained networks of a preset."""

from dataclasses import dataclass

from diffusers import AutoencoderKL
from omegaconf import DictConfig

from echo_augment.augmentor.mcdm.codec import build_codec
from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import CODE_SIZE
from echo_augment.augmentor.mcdm.reid import ReIDEncoder


@dataclass(slots=True)
class Networks:
    """What the stages train."""

    codec: AutoencoderKL
    reid: ReIDEncoder
    mafe: MAFE
    denoiser: MotionDenoiser


def build_networks(preset: DictConfig) -> Networks:
    """The networks of a preset, with fresh weights from the global random state (seed it around the call)."""
    codec = build_codec(tuple(preset.codec.channels), preset.codec.layers)
    reid = ReIDEncoder(preset.reid.width, preset.reid.embedding)
    mafe = MAFE(
        preset.mafe.width,
        tuple(preset.mafe.depths),
        tuple(preset.mafe.heads),
        preset.mafe.window,
        preset.size,
        preset.reid.embedding,
    )
    return Networks(codec, reid, mafe, build_denoiser(preset, mafe))


def build_denoiser(preset: DictConfig, mafe: MAFE) -> MotionDenoiser:
    """The denoiser of a preset; its code size follows from where the codes come from."""
    settings = preset.denoiser
    return MotionDenoiser(
        tuple(settings.channels),
        tuple(settings.attention),
        tuple(settings.heads),
        settings.layers,
        motion=settings.motion,
        code_size=2 * mafe.vector_size if preset.code == "vector" else CODE_SIZE,
        cross_attention_dim=settings.cross_attention_dim,
    )
