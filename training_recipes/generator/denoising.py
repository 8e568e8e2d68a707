"""The denoiser's training: latents and motion codes of every heart, windows of them, and the diffusion loss."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL
from diffusers.schedulers import DDIMScheduler
from torch import Tensor, nn
from tqdm import tqdm

from echo_augment.augmentor.mcdm.codec import encode
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import flow_codes, mafe_codes, pad_to, vector_code
from echo_augment.cache.files import atomic_path

from .prepared import Prepared


def write_latents(data: Prepared, codec: AutoencoderKL, path: Path) -> None:
    """Latents of the frames on the hearts' grids in one array ``(frames, C, h, w)`` float16; other rows stay zero."""
    side = data.hearts[0].frames.shape[1] // 8
    shape = (data.total, int(codec.config["latent_channels"]), side, side)
    with atomic_path(path) as temporary:
        target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
        for start, heart in zip(data.starts, tqdm(data.hearts, desc="latents", unit="heart"), strict=True):
            target[start + heart.grid] = encode(codec, torch.from_numpy(heart.frames[heart.grid])).cpu().numpy()
        target.flush()


def write_codes(data: Prepared, mafe: MAFE, kind: str, path: Path) -> None:
    """Motion codes on every heart's grid, one after the other: ``(sum of G, D)`` float32; ``kind`` is a preset's."""
    parts: list[npt.NDArray[np.float32]] = []
    for heart in tqdm(data.hearts, desc="motion codes", unit="heart"):
        if kind == "vector":
            parts.append(vector_code(mafe, heart))
        else:
            parts.append(mafe_codes(mafe, heart) if kind == "mafe" else flow_codes(heart))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(parts), allow_pickle=False)


class Windows:
    """Draws training windows: latents relative to the ED frame's, the ED frame's latent, and the motion codes.

    Args:
        data: the hearts.
        latents: path of :func:`write_latents`'s array.
        codes: path of :func:`write_codes`'s array.
        frames: of a window, at the generator's rate.
        vector: the codes are one per heart.
    """

    def __init__(self, data: Prepared, latents: Path, codes: Path, *, frames: int, vector: bool) -> None:
        self.data, self.frames, self.vector = data, frames, vector
        self.latents = np.load(latents, allow_pickle=False)
        raw = np.load(codes, allow_pickle=False)
        counts = [1 if vector else len(heart.grid) for heart in data.hearts]
        ends = np.cumsum(counts)
        trained = raw[: ends[len(data.training) - 1]]
        self.mean, self.std = trained.mean(0), trained.std(0) + 1e-6
        codes_of = np.split(((raw - self.mean) / self.std).astype(np.float32), ends[:-1])
        self.codes = [torch.from_numpy(part) for part in codes_of]
        self.scale = self._scale()

    def _scale(self) -> float:
        """Standard deviation of the latents relative to the ED frame's, over up to 200 training hearts."""
        parts = []
        for index in range(min(200, len(self.data.training))):
            _, relative = self._latents(index)
            parts.append(np.square(relative).mean())
        return float(np.sqrt(np.mean(parts)))

    def _latents(self, index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """ED latent, and the latents of the heart's grid relative to it."""
        heart, start = self.data.hearts[index], self.data.starts[index]
        reference = self.latents[start + heart.ed].astype(np.float32)
        return reference, self.latents[start + heart.grid].astype(np.float32) - reference

    def window(self, index: int, at: int) -> dict[str, Tensor]:
        """The window of heart ``index`` that begins at grid position ``at``; short hearts are padded and masked."""
        reference, relative = self._latents(index)
        part = torch.from_numpy(relative[at : at + self.frames] / self.scale)
        codes = self.codes[index]
        there = torch.arange(self.frames) < len(part)
        if not self.vector:
            codes, _ = pad_to(codes[at : at + self.frames], self.frames)
        missing = self.frames - len(part)
        if missing:
            part = torch.cat([part, torch.zeros(missing, *part.shape[1:])])
        return {"latents": part, "reference": torch.from_numpy(reference), "motion": codes, "there": there}

    def draw(self, rng: np.random.Generator, count: int, *, watched: bool = False) -> dict[str, Tensor]:
        """``count`` windows of random hearts at random phases, stacked; of the watched hearts where asked."""
        first = len(self.data.training) if watched else 0
        last = len(self.data.hearts) if watched else len(self.data.training)
        windows = []
        for index in rng.integers(first, last, count):
            room = max(0, len(self.data.hearts[index].grid) - self.frames)
            windows.append(self.window(int(index), int(rng.integers(room + 1))))
        return {key: torch.stack([window[key] for window in windows]) for key in windows[0]}


def noise_scheduler() -> DDIMScheduler:
    """MCDM's diffusion: 1,000 steps, linear betas 1e-4 to 0.02, v-prediction; samples clipped at 6 standard deviations.

    The reference clips at 4; here the latents are relative to the reference frame's, whose tails are longer.
    """
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="v_prediction",
        clip_sample=True,
        clip_sample_range=6.0,
        timestep_spacing="trailing",
    )


def denoising_loss(noise_offset: float, drop: float) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Mean squared error of v over the frames that exist.

    Args:
        noise_offset: noise shared by all pixels of a frame's channel, as a share of its standard deviation.
        drop: share of clips whose motion is withheld.
    """
    scheduler = noise_scheduler()

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        clean, there = batch["latents"], batch["there"]
        device, count = clean.device, len(clean)
        noise = torch.randn(clean.shape, device=device)
        noise = noise + noise_offset * torch.randn(*clean.shape[:3], 1, 1, device=device)
        # One draw per stratum of the noise levels: the loss of a small batch varies much less.
        strata = (torch.arange(count, device=device) + torch.rand(count, device=device)) / count
        steps = (strata * 1000).long().clamp(max=999)
        noisy = scheduler.add_noise(clean, noise, steps)
        target = scheduler.get_velocity(clean, noise, steps)
        dropped = torch.rand(count, device=device) < drop
        v = model(noisy, steps, batch["reference"], batch["motion"], dropped)
        error = (v.float() - target).pow(2).mean((2, 3, 4))
        value = (error * there).sum() / there.sum()
        return {"loss": value}

    return loss
