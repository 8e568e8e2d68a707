"""Random weights in the layouts in which others published theirs, at small sizes."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNetSpatioTemporalConditionModel
from safetensors.torch import load_file, save_file

FRAMES = 4
SCALING = 0.21
WEIGHTS = "diffusion_pytorch_model.safetensors"


def write_layout(root: Path, token: int = 1, unet: str = "lvdm", seed: int = 0) -> Path:
    """Write ``vae/`` and the denoiser's folder into ``root`` as EchoNet-Synthetic's Hub repository has them."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        AutoencoderKL(
            block_out_channels=(32, 32, 32, 32),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            latent_channels=4,
            scaling_factor=SCALING,
        ).save_pretrained(root / "vae")
        denoiser = UNetSpatioTemporalConditionModel(
            sample_size=14,
            in_channels=8,
            out_channels=4,
            num_frames=FRAMES,
            block_out_channels=(32, 32),
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            addition_time_embed_dim=1,
            projection_class_embeddings_input_dim=1,
            layers_per_block=1,
            cross_attention_dim=token,
            num_attention_heads=(2, 4),
        )
        for weight in denoiser.parameters():  # fresh mixing factors and biases are alike
            weight.data += 0.02 * torch.randn_like(weight)
        denoiser.save_pretrained(root / unet)
    return root


def change(folder: Path, *, drop: str | None = None, add: str | None = None) -> None:
    """Take a weight out of a folder's file, or put one in."""
    weights = load_file(folder / WEIGHTS)
    if drop is not None:
        del weights[drop]
    if add is not None:
        weights[add] = torch.zeros(1)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
