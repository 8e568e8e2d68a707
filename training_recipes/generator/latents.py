"""Latents of all training frames, encoded once."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL
from tqdm import tqdm

from echo_augment.augmentor.mcdm.codec import encode
from echo_augment.cache.system.files import atomic_path

from .prepared import Prepared

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
