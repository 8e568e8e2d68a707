"""The codec's training, and the latents of all training frames, encoded once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn
from tqdm import tqdm

from echo_augment.augmentor.mcdm.codec import encode, to_unit
from echo_augment.cache.system.files import atomic_path

from .mafe import laplacian_loss
from .prepare import Prepared

Array = npt.NDArray[np.float32]


def write_latents(data: Prepared, codec: AutoencoderKL, path: Path) -> None:
    """Latents of the frames on the hearts' grids in one array ``(frames, C, h, w)`` float16; other rows stay zero."""
    side = data.hearts[0].frames.shape[1] // 8
    shape = (data.total, int(codec.config["latent_channels"]), side, side)
    with atomic_path(path) as temporary:
        target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
        for start, heart in zip(data.starts, tqdm(data.hearts, desc="latents", unit="heart"), strict=True):
            target[start + heart.grid] = encode(codec, torch.from_numpy(heart.frames[heart.grid])).cpu().numpy()
        target.flush()


class Latents:
    """Reads :func:`write_latents`'s array whole into memory (about 80 kB a two-second clip of preset ``tiny``).

    Args:
        data: the hearts.
        path: of the array.
        scale: of a denoiser that is there already; None: measured here.

    Attributes:
        scale: standard deviation of the latents relative to the ED frame's, over up to 200 training hearts, or given.
    """

    def __init__(self, data: Prepared, path: Path, scale: float | None = None) -> None:
        self.data = data
        self.array = np.load(path, allow_pickle=False)
        if scale is not None:
            self.scale = scale
            return
        squares = [np.square(self.heart(i)[1]).mean() for i in range(min(200, len(data.training)))]
        self.scale = float(np.sqrt(np.mean(squares)))

    def heart(self, index: int) -> tuple[Array, Array]:
        """ED latent ``(C, h, w)``, and the latents of the heart's grid relative to it, ``(G, C, h, w)``."""
        heart, start = self.data.hearts[index], self.data.starts[index]
        reference = self.array[start + heart.ed].astype(np.float32)
        return reference, self.array[start + heart.grid].astype(np.float32) - reference

    def frame(self, index: int, at: int) -> tuple[Array, Array]:
        """ED latent, and the latent at grid position ``at`` relative to it, both ``(C, h, w)``."""
        heart, start = self.data.hearts[index], self.data.starts[index]
        reference = self.array[start + heart.ed].astype(np.float32)
        return reference, self.array[start + heart.grid[at]].astype(np.float32) - reference


def frame_batch(data: Prepared, rng: np.random.Generator, hearts: int, each: int) -> Tensor:
    """``each`` frames of ``hearts`` different hearts: uint8 ``(hearts, each, H, W)``; no heart twice."""
    pool = data.training
    chosen = rng.choice(len(pool), min(hearts, len(pool)), replace=False)
    return torch.from_numpy(
        np.stack([pool[i].frames[np.sort(rng.integers(0, len(pool[i].frames), each))] for i in chosen])
    )


def codec_loss(kl_weight: float) -> Callable[[nn.Module, Tensor], dict[str, Tensor]]:
    """L1 and Laplacian-pyramid reconstruction plus a small KL, for a batch of uint8 frames ``(B, H, W)``."""

    def loss(model: Any, frames: Tensor) -> dict[str, Tensor]:
        images = to_unit(frames).expand(-1, model.config["in_channels"], -1, -1)
        posterior = model.encode(images).latent_dist
        noise = torch.randn(posterior.mean.shape, device=images.device)
        decoded = model.decode(posterior.mean + posterior.std * noise).sample.float()
        l1, pyramid = F.l1_loss(decoded, images), laplacian_loss(decoded, images)
        kl = 0.5 * (posterior.mean.float().pow(2) + posterior.var.float() - 1 - posterior.logvar.float()).mean()
        return {"loss": l1 + pyramid + kl_weight * kl, "l1": l1, "pyramid": pyramid, "kl": kl}

    return loss
