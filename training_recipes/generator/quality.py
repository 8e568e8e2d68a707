"""How good the stages' networks are on the watched hearts: codec, re-ID and MAFE, each by its own task."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from echo_augment.augmentor.mcdm.codec import decode, encode
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.reid import ReIDEncoder

from ..common.likeness import frame_likeness
from .prepare import Prepared

Frames = npt.NDArray[np.uint8]


def watched_frames(data: Prepared, count: int = 64) -> Tensor:
    """Frames of the watched hearts, ``(N, H, W)`` uint8: their ED and ES frames."""
    return torch.from_numpy(np.stack([heart.frames[i] for heart in data.watched for i in (heart.ed, heart.es)][:count]))


def fit_scale(codec: AutoencoderKL, data: Prepared) -> dict[str, float]:
    """Scale the codec so that its latents of the watched hearts have standard deviation 1; its PSNR on them in dB."""
    frames = watched_frames(data)
    codec.register_to_config(scaling_factor=1.0)
    codec.register_to_config(scaling_factor=float(1 / encode(codec, frames).std()))
    restored = decode(codec, encode(codec, frames)).cpu()
    return {"psnr": frame_likeness(restored.numpy(), frames.numpy()).psnr}


def nearest_share(reid: ReIDEncoder, data: Prepared) -> float:
    """Share of watched hearts whose ES frame lies nearest to their own ED frame among all watched ED frames."""
    with torch.no_grad():
        sides = [
            reid(
                torch.from_numpy(np.stack([h.frames[getattr(h, side)] for h in data.watched]))[:, None]
                .to(reid.device)
                .float()
                / 255
            )
            for side in ("ed", "es")
        ]
    nearest = (sides[1] @ sides[0].T).argmax(1).cpu()
    return float((nearest == torch.arange(len(nearest))).float().mean())


def middle_frames(data: Prepared, reach: int, count: int = 64) -> Frames:
    """Triples ``(N, 3, H, W)`` of watched hearts: the ED frame, the farthest within ``reach`` steps, their middle."""
    triples = []
    for heart in data.watched[:count]:
        far = (
            heart.ed + 2 * reach
            if heart.ed + 2 * reach < len(heart.frames)
            else max(heart.ed % 2, heart.ed - 2 * reach)
        )
        triples.append(heart.frames[[heart.ed, far, (heart.ed + far) // 2]])
    return np.stack(triples)


def interpolation_quality(mafe: MAFE, data: Prepared, reach: int, *, batch: int = 16) -> dict[str, Any]:
    """MAFE's middle frames of watched hearts against the true ones: PSNR in dB and SSIM.

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
