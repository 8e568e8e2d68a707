"""The trained stages of the generator: each is a model, its batches and its loss; here codec, re-ID and MAFE."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from echo_augment.augmentor.mcdm.codec import to_unit
from echo_augment.augmentor.mcdm.losses import contrastive_loss, flow_loss, laplacian_loss, reid_loss

from ..fit import FitResult, fit
from .prepared import Prepared
from .pseudo import PseudoLabels

CODEC, REID, PAIRS, WINDOWS, MOTIONS, STUDENT, COUPLINGS = range(7)  # one random stream a stage


def endless(draw: Callable[[np.random.Generator], Any], seed: int, stream: int) -> Callable[[int], Iterator[Any]]:
    """Batches that are a pure function of the step: ``draw`` gets a fresh random generator for each."""

    def batches(step: int) -> Iterator[Any]:
        while True:
            yield draw(np.random.default_rng([seed, stream, step]))
            step += 1

    return batches


def warmup_cosine(optimizer: AdamW, steps: int, *, warmup: int, floor: float = 0.1) -> LambdaLR:
    """Linear warm-up, then half a cosine down to ``floor`` of the learning rate."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        share = min(1.0, (step - warmup) / max(1, steps - warmup))
        return floor + (1 - floor) * (1 + math.cos(math.pi * share)) / 2

    return LambdaLR(optimizer, factor)


def train(
    model: nn.Module,
    draw: Callable[[np.random.Generator], Any],
    loss_fn: Callable[[nn.Module, Any], dict[str, Tensor]],
    settings: DictConfig,
    *,
    name: str,
    stream: int,
    seed: int,
    out: Path,
    accelerator: Accelerator,
) -> FitResult:
    """Train one stage by its settings: ``steps``, ``lr``, ``warmup``, ``save_every`` and, where given, ``ema``."""
    optimizer = AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.get("weight_decay", 0.01))
    return fit(
        model,
        endless(draw, seed, stream),
        loss_fn,
        steps=settings.steps,
        optimizer=optimizer,
        scheduler=warmup_cosine(optimizer, settings.steps, warmup=settings.warmup),
        out=out,
        name=name,
        seed=seed,
        accelerator=accelerator,
        ema_decay=settings.get("ema"),
        save_every=settings.save_every,
        announce=True,
    )


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


def jitter(frames: Tensor) -> Tensor:
    """Gain, gamma and small shifts for the re-ID model: ``(B, 1, H, W)`` in [0, 1]; a heart is known in any light."""
    batch, device = len(frames), frames.device
    gain = torch.empty(batch, 1, 1, 1, device=device).uniform_(0.8, 1.25)
    gamma = torch.empty(batch, 1, 1, 1, device=device).uniform_(0.8, 1.25)
    theta = torch.eye(2, 3, device=device).repeat(batch, 1, 1)
    theta[:, :, 2].uniform_(-0.06, 0.06)
    grid = F.affine_grid(theta, list(frames.shape), align_corners=False)
    moved = F.grid_sample(frames, grid, align_corners=False)
    return (gain * moved.clamp_min(1e-4) ** gamma).clamp(0, 1)


def reid_step(model: nn.Module, frames: Tensor) -> dict[str, Tensor]:
    """Contrast two frames of each heart, uint8 ``(B, 2, H, W)``."""
    first, second = (jitter(frames[:, k : k + 1].float() / 255) for k in range(2))
    loss = contrastive_loss(model(first).float(), model(second).float())
    return {"loss": loss}


def pair_batch(
    data: Prepared, pseudo: PseudoLabels, rng: np.random.Generator, count: int, reach: int
) -> dict[str, Tensor]:
    """Pairs (ED frame, frame t) with the frame halfway between them, in either order, flipped at random.

    ``reach`` bounds the distance in steps of the generator's rate, so that "halfway" means one heart-beat's motion.
    """
    frames, flows, embeddings = [], [], []
    for index in rng.integers(0, len(data.training), count):
        heart = data.training[index]
        steps = (heart.grid - heart.ed) // 2
        choices = np.flatnonzero((np.abs(steps) <= reach) & (steps != 0))
        at = int(rng.choice(choices)) if len(choices) else int(rng.integers(len(steps)))
        t = int(heart.grid[at])
        triple = np.stack([heart.frames[heart.ed], heart.frames[t], heart.frames[(heart.ed + t) // 2]])
        flow = pseudo.flow(index, at)
        embedding = pseudo.embedding(index)[[heart.ed, t]]
        if rng.random() < 0.5:
            triple, flow, embedding = triple[[1, 0, 2]], -flow, embedding[::-1]
        if rng.random() < 0.5:
            triple, flow = triple[..., ::-1], flow[..., ::-1] * np.array([-1, 1], np.float32)[:, None, None]
        frames.append(triple)
        flows.append(flow)
        embeddings.append(embedding)
    return {
        "frames": torch.from_numpy(np.ascontiguousarray(np.stack(frames))),
        "flow": torch.from_numpy(np.ascontiguousarray(np.stack(flows), dtype=np.float32)),
        "embedding": torch.from_numpy(np.ascontiguousarray(np.stack(embeddings), dtype=np.float32)),
    }


def mafe_loss(reid: float, flow: float) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """MCDM's loss: Laplacian on the middle frame, half of it on each merge, re-ID and flow with their weights."""

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        first, second, middle = (batch["frames"].float() / 255).split(1, dim=1)
        output = model(first, second)
        interpolation = laplacian_loss(output.frame.float(), middle)
        merges = torch.stack([laplacian_loss(merge.float(), middle) for merge in output.merges]).sum()
        inner: Any = getattr(model, "module", model)
        small = F.interpolate(output.flow.float(), size=batch["flow"].shape[-2:], mode="area")
        losses = {
            "interpolation": interpolation,
            "reid": reid_loss(inner.reid_head(output.appearance).float(), batch["embedding"]),
            "flow": flow_loss(small, batch["flow"]),
            "psnr": -10 * (output.frame.float() - middle).pow(2).mean().detach().log10(),
        }
        total = interpolation + 0.5 * merges + reid * losses["reid"] + flow * losses["flow"]
        return {"loss": total, **losses}

    return loss
