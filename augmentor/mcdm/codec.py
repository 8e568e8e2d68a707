"""The codec: frames to latents and back, by a diffusers autoencoder."""

import torch
from diffusers import AutoencoderKL
from torch import Tensor


def build_codec(channels: tuple[int, ...] = (16, 32, 64, 64), layers: int = 1, groups: int = 8) -> AutoencoderKL:
    """An ``AutoencoderKL`` for grayscale frames: 8x smaller, 4 latent channels, no attention."""
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        latent_channels=4,
        norm_num_groups=groups,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def to_unit(frames: Tensor) -> Tensor:
    """uint8 gray levels ``(..., H, W)`` to [-1, 1] with a channel, ``(..., 1, H, W)``."""
    return (frames.float() / 127.5 - 1).unsqueeze(-3)


def to_gray(images: Tensor) -> Tensor:
    """[-1, 1] images ``(..., C, H, W)`` to uint8 gray levels ``(..., H, W)``; three channels are averaged."""
    return ((images.float().mean(-3) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _channels(codec: AutoencoderKL) -> int:
    return int(codec.config["in_channels"])


def encode(codec: AutoencoderKL, frames: Tensor, *, batch: int = 64) -> Tensor:
    """Latents ``(N, C, h, w)`` of uint8 frames ``(N, H, W)``: the means of the posterior, scaled."""
    device, dtype = codec.device, codec.dtype
    parts = []
    with torch.no_grad():
        for chunk in frames.split(batch):
            images = to_unit(chunk.to(device)).to(dtype).expand(-1, _channels(codec), -1, -1)
            parts.append(codec.encode(images).latent_dist.mode() * codec.config["scaling_factor"])
    return torch.cat(parts)


def decode(codec: AutoencoderKL, latents: Tensor, *, batch: int = 64) -> Tensor:
    """uint8 frames ``(N, H, W)`` of scaled latents ``(N, C, h, w)``."""
    scale = codec.config["scaling_factor"]
    with torch.no_grad():
        parts = [to_gray(codec.decode(chunk.to(codec.dtype) / scale).sample) for chunk in latents.split(batch)]
    return torch.cat(parts)
