"""Losses of MAFE and the codec: Laplacian pyramid, re-identification, optical flow, contrastive."""

import torch
import torch.nn.functional as F
from torch import Tensor


def laplacian_pyramid(image: Tensor, levels: int = 4) -> list[Tensor]:
    """Band-pass levels of ``(B, C, H, W)``, fine to coarse, the last one the low-pass rest."""
    bands = []
    for _ in range(levels - 1):
        low = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)
        bands.append(image - low)
        image = F.avg_pool2d(low, 2)
    return [*bands, image]


def laplacian_loss(predicted: Tensor, target: Tensor, levels: int = 4) -> Tensor:
    """L1 distance of Laplacian pyramids, each level weighted by ``2^level`` (Bojanowski et al., arXiv 1707.05776)."""
    pairs = zip(laplacian_pyramid(predicted, levels), laplacian_pyramid(target, levels), strict=True)
    return torch.stack([2**level * F.l1_loss(a, b) for level, (a, b) in enumerate(pairs)]).sum()


def reid_loss(appearance: Tensor, pseudo: Tensor) -> Tensor:
    """Squared distance of the normalised appearance features ``(B, 2, D)`` to the pseudo embeddings ``(B, 2, D)``."""
    return (F.normalize(appearance, dim=-1) - F.normalize(pseudo, dim=-1)).pow(2).sum(-1).mean()


def flow_loss(flow: Tensor, pseudo: Tensor) -> Tensor:
    """L1 distance of flow fields ``(B, 2, H, W)``, each divided by the pseudo field's own root mean square (pixels)."""
    scale = pseudo.pow(2).mean((1, 2, 3), keepdim=True).sqrt().clamp_min(0.25)
    return ((flow - pseudo) / scale).abs().mean()


def contrastive_loss(first: Tensor, second: Tensor, temperature: float = 0.1) -> Tensor:
    """InfoNCE, both ways: row i of ``first (B, D)`` and of ``second (B, D)`` are frames of the same heart."""
    scores = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T / temperature
    target = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2
