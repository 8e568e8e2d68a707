"""Stage ``mafe``: pairs of frames with the one halfway between, and the losses of MCDM."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.mafe import MAFE

from ..common.likeness import frame_likeness
from ..common.ranks import ALONE, Share
from .prepare import Prepared
from .pseudo import PseudoLabels

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 2  # of random numbers
Frames = npt.NDArray[np.uint8]


def laplacian_pyramid(image: Tensor, levels: int = 4) -> list[Tensor]:
    """Return the band-pass levels of ``(B, C, H, W)``, fine to coarse, the last one the low-pass rest."""
    bands = []
    for _ in range(levels - 1):
        low = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)
        bands.append(image - low)
        image = F.avg_pool2d(low, 2)
    return [*bands, image]


def laplacian_loss(predicted: Tensor, target: Tensor, levels: int = 4) -> Tensor:
    """Return the L1 distance of Laplacian pyramids, levels weighted by ``2^level`` (Bojanowski, arXiv 1707.05776)."""
    pairs = zip(laplacian_pyramid(predicted, levels), laplacian_pyramid(target, levels), strict=True)
    return torch.stack([2**level * F.l1_loss(a, b) for level, (a, b) in enumerate(pairs)]).sum()


def reid_loss(appearance: Tensor, pseudo: Tensor) -> Tensor:
    """Return the squared distance of appearance features to pseudo embeddings, both ``(B, 2, D)`` and normalised."""
    return (F.normalize(appearance, dim=-1) - F.normalize(pseudo, dim=-1)).pow(2).sum(-1).mean()


def flow_loss(flow: Tensor, pseudo: Tensor) -> Tensor:
    """L1 distance of flow fields ``(B, 2, H, W)``, each divided by the pseudo field's own root mean square (pixels)."""
    scale = pseudo.pow(2).mean((1, 2, 3), keepdim=True).sqrt().clamp_min(0.25)
    return ((flow - pseudo) / scale).abs().mean()


def pair_batch(
    data: Prepared, pseudo: PseudoLabels, rng: np.random.Generator, count: int, reach: int, share: Share = ALONE
) -> dict[str, Tensor]:
    """Draw pairs (ED frame, frame t) with the frame halfway between them, in either order, flipped at random.

    ``reach`` bounds the distance in frames of the generator, so that "halfway" means one heart-beat's motion. A process
    gets its ``share`` of them.
    """
    drawn = []
    for index in rng.integers(0, len(data.training), count):
        heart = data.training[index]
        steps = (heart.grid - heart.ed) // 2
        choices = np.flatnonzero((np.abs(steps) <= reach) & (steps != 0))
        at = int(rng.choice(choices)) if len(choices) else int(rng.integers(len(steps)))
        drawn.append((int(index), at, rng.random() < 0.5, rng.random() < 0.5))
    frames, flows, embeddings = [], [], []
    for index, at, backwards, mirrored in share.of(drawn):
        heart = data.training[index]
        t = int(heart.grid[at])
        triple = np.stack([heart.frames[heart.ed], heart.frames[t], heart.frames[(heart.ed + t) // 2]])
        flow = pseudo.flow(index, at)
        embedding = pseudo.embedding(index)[[heart.ed, t]]
        if backwards:
            triple, flow, embedding = triple[[1, 0, 2]], -flow, embedding[::-1]
        if mirrored:
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
    """Return MCDM's loss: Laplacian of the middle frame and half of each merge, weighted re-ID and flow."""

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        first, second, middle = (batch["frames"].float() / 255).split(1, dim=1)
        output = model(first, second)
        interpolation = laplacian_loss(output.frame.float(), middle)
        merges = torch.stack([laplacian_loss(merge.float(), middle) for merge in output.merges]).sum()
        small = F.interpolate(output.flow.float(), size=batch["flow"].shape[-2:], mode="area")
        losses = {
            "interpolation": interpolation,
            "reid": reid_loss(cast(MAFE, model).reid_head(output.appearance).float(), batch["embedding"]),
            "flow": flow_loss(small, batch["flow"]),
            "psnr": -10 * (output.frame.float() - middle).pow(2).mean().detach().log10(),
        }
        total = interpolation + 0.5 * merges + reid * losses["reid"] + flow * losses["flow"]
        return {"loss": total, **losses}

    return loss


def middle_frames(data: Prepared, reach: int, count: int = 64) -> Frames:
    """Return triples ``(N, 3, H, W)`` of watched videos: ED frame, the farthest within ``reach`` steps, the middle."""
    triples = []
    for heart in data.watched[:count]:
        far = (
            heart.ed + 2 * reach
            if heart.ed + 2 * reach < len(heart.frames)
            else max(heart.ed % 2, heart.ed - 2 * reach)
        )
        triples.append(heart.frames[[heart.ed, far, (heart.ed + far) // 2]])
    return np.stack(triples)


def interpolation_quality(mafe: MAFE, data: Prepared, reach: int, *, batch: int = 16) -> dict[str, float]:
    """Compare MAFE's middle frames of watched videos with the true ones: PSNR in dB and SSIM.

    ``blend`` is the same for the plain mean of both ends, which MAFE has to beat.
    """
    triples = middle_frames(data, reach)
    made = []
    with torch.no_grad():
        for part in torch.from_numpy(triples).split(batch):
            first, second, _ = (part.to(mafe.device).float() / 255).split(1, dim=1)
            made.append((mafe(first, second).frame[:, 0].float() * 255).round().clamp(0, 255).to(torch.uint8).cpu())
    found = frame_likeness(torch.cat(made).numpy(), triples[:, 2])
    blend = frame_likeness(triples[:, :2].mean(1).round().astype(np.uint8), triples[:, 2])
    return {
        "watched_psnr": found.psnr,
        "watched_ssim": found.ssim,
        "blend_psnr": blend.psnr,
        "blend_ssim": blend.ssim,
    }


def train(context: "StageContext") -> dict[str, float]:
    """Train MAFE on the pseudo labels, and save it."""
    settings, mafe, data = context.preset.mafe, context.networks.mafe, context.data
    labels = PseudoLabels(context.out / "pseudo.h5")
    result = context.train(
        mafe,
        lambda rng, share: pair_batch(data, labels, rng, settings.batch, settings.reach, share),
        mafe_loss(settings.losses.reid, settings.losses.flow),
        settings,
        name="mafe",
        stream=STREAM,
    )
    context.save(mafe, "mafe")
    kept = {key: result.losses[key] for key in ("psnr", "flow", "reid")}
    quality = interpolation_quality(mafe, data, settings.reach)
    return {"steps": result.steps, "seconds": result.seconds, **kept, **quality}


def load(context: "StageContext") -> None:
    """Load the trained MAFE."""
    context.networks.mafe = MAFE.from_pretrained(context.out / "mafe").to(context.device).eval()
