"""The EF reader: a tiny EF net trained on phantoms alone, which says what EF a clip shows."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from echo_augment.augmentor.data.phantom import render, sample_phantom, volume_curve
from echo_augment.augmentor.mcdm.precision import fast_dtype
from echo_augment.augmentor.orphans import end_with_parent
from echo_augment.cache.files import atomic_path
from echo_augment.training_recipes.ef_models import TinyEF
from echo_augment.training_recipes.fit import fit

SEEDS = 900_000_000  # phantoms of the reader alone: far from every data set's seeds
MEAN, SCALE = 32.0, 50.0


def render_one(seed: int, frames: int, rate: float) -> tuple[npt.NDArray[np.uint8], float]:
    """A short phantom clip and its heart's EF (of the beat, not of the few frames drawn)."""
    phantom = sample_phantom(seed)
    start = float(np.random.default_rng([seed, 3]).uniform(0, 0.7))
    clip = render(phantom.motion, phantom.appearance, frames=frames, fps=rate, start=start, seed=seed)
    return clip.frames, whole_beat_ef(seed)


def whole_beat_ef(seed: int) -> float:
    """EF of the labelled beat of a phantom's two-second recording, in percent."""

    phantom = sample_phantom(seed)
    return float(volume_curve(phantom.motion, phantom.appearance).ef)


def render_many(count: int, frames: int, rate: float, first: int, what: str) -> tuple[Tensor, Tensor]:
    """``count`` phantom clips ``(N, T, H, W)`` uint8 and their EF ``(N,)``, rendered by all cores."""
    job = partial(render_one, frames=frames, rate=rate)
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        made = list(
            tqdm(pool.map(job, range(first, first + count), chunksize=16), total=count, desc=what, mininterval=1.0)
        )
    return torch.from_numpy(np.stack([clip for clip, _ in made])), torch.tensor([ef for _, ef in made])


def normalise(clips: Tensor) -> Tensor:
    """uint8 clips ``(B, T, H, W)`` as the net takes them, ``(B, 1, T, H, W)``."""
    return ((clips.float() - MEAN) / SCALE)[:, None]


def train_reader(
    out: Path, *, clips: int, steps: int, frames: int, rate: float, seed: int, batch: int = 16
) -> tuple[nn.Module, dict[str, float]]:
    """Train the reader, or load it where ``out`` has it; its R2 and MAE on phantoms it never saw come along.

    Args:
        out: folder of the weights.
        clips: phantoms to train on; an eighth as many more judge it.
        steps: optimiser steps.
        frames: of a clip.
        rate: frames per second.
        seed: of the net and the batches.
        batch: clips in a batch.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net = TinyEF(dropout=0.1)
    path = out / "reader.safetensors"
    if path.exists():
        saved = load_file(path)
        figures = {key: float(saved.pop(key)) for key in ("r2", "mae")}
        net.load_state_dict(saved)
        return net.eval(), figures
    data, ef = render_many(clips, frames, rate, SEEDS, "reader's phantoms")
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.15)

    def batches(step: int) -> Any:
        while True:
            rng = np.random.default_rng([seed, step])
            chosen = torch.from_numpy(rng.integers(0, len(data), batch))
            gain = torch.from_numpy(rng.uniform(0.85, 1.15, (batch, 1, 1, 1)).astype(np.float32))
            shift = tuple(int(value) for value in rng.integers(-6, 7, 2))
            moved = torch.roll(data[chosen], shift, (2, 3)).float()
            yield (moved * gain).clamp(0, 255), ef[chosen].float()
            step += 1

    def loss_fn(model: nn.Module, pair: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        return {"loss": nn.functional.smooth_l1_loss(model(normalise(pair[0])), pair[1], beta=3.0)}

    fit(
        net,
        batches,
        loss_fn,
        steps=steps,
        optimizer=optimizer,
        scheduler=schedule,
        out=out,
        name="reader",
        seed=seed,
        accelerator=Accelerator(mixed_precision="bf16" if fast_dtype("cpu") == torch.bfloat16 else "no", cpu=True),
        save_every=max(100, steps // 10),
    )
    net.cpu()
    unseen, truth = render_many(max(64, clips // 8), frames, rate, SEEDS + 10_000_000, "reader's judges")
    error = read_ef(net, unseen) - truth.numpy()
    spread = float(((truth - truth.mean()) ** 2).mean())
    found = {"r2": 1 - float((error**2).mean()) / spread, "mae": float(np.abs(error).mean())}
    figures = {key: float(np.float32(value)) for key, value in found.items()}  # as a later call reads them
    state = {key: value.contiguous() for key, value in net.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(state | {key: torch.tensor(value) for key, value in figures.items()}, temporary)
    return net, figures


def read_ef(net: nn.Module, clips: Tensor, *, batch: int = 32) -> npt.NDArray[np.float64]:
    """EF in percent of uint8 clips ``(N, T, H, W)``."""
    with torch.no_grad():
        return np.concatenate([net(normalise(part)).double().numpy() for part in clips.split(batch)])
