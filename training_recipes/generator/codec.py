"""Stages ``codec`` and ``latents``: the autoencoder, and the latents of all training frames, encoded once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.codec import decode, encode, half_range, saved_codec, to_unit

from ..common.likeness import frame_likeness
from ..common.lpips import LPIPS, load_lpips
from ..common.parts import SOLO, Crew, write_rows
from ..common.ranks import ALONE, Share
from ..training.adversary import Contested
from .prepare import Prepared
from .stage_settings import CodecSettings

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 0  # of random numbers
Array = npt.NDArray[np.float32]


def write_latents(data: Prepared, codec: AutoencoderKL, path: Path, *, crew: Crew = SOLO) -> None:
    """Write the latents of the frames on the videos' grids: ``(frames, C, h, w)`` float16, 0 for other frames.

    The processes of a crew share the work.
    """

    def latents(numbers: range) -> Iterator[npt.NDArray[np.float16]]:
        for heart in data.videos[numbers.start : numbers.stop]:
            found = encode(codec, torch.from_numpy(heart.frames[heart.grid])).cpu().numpy()
            rows = np.zeros((len(heart.frames), *found.shape[1:]), np.float16)
            rows[heart.grid] = found
            yield rows

    write_rows(path, [len(heart.frames) for heart in data.videos], latents, what="latents", crew=crew)


class Latents:
    """Reads :func:`write_latents`'s array by memory map (about 80 kB a two-second clip of preset ``tiny``).

    Args:
        data: the videos.
        path: the array's file.
        scale: that of a denoiser which is trained already; None to measure it.
        absolute: give latents as they are, in units of 1, and not relative to the reference frame's.

    Attributes:
        scale: standard deviation of the latents relative to the ED frame's, over up to 200 training videos, or given.
    """

    def __init__(self, data: Prepared, path: Path, scale: float | None = None, *, absolute: bool = False) -> None:
        self.data, self.absolute = data, absolute
        self.array = np.load(path, mmap_mode="r", allow_pickle=False)
        if scale is not None or absolute:
            self.scale = 1.0 if scale is None else scale
            return
        squares = [np.square(self.video(i)[1]).mean() for i in range(min(200, len(data.training)))]
        self.scale = float(np.sqrt(np.mean(squares)))

    def video(self, index: int) -> tuple[Array, Array]:
        """Return the ED latent ``(C, h, w)``, and the latents of the grid relative to it, ``(G, C, h, w)``."""
        heart, start = self.data.videos[index], self.data.starts[index]
        reference = self.array[start + heart.ed].astype(np.float32)
        return reference, self.array[start + heart.grid].astype(np.float32) - reference

    def window(self, index: int, at: int, frames: int, shown: int | None = None) -> tuple[Array, Array]:
        """Return a reference frame's latent ``(C, h, w)``, and those of up to ``frames`` grid positions from ``at`` on.

        These are relative to the former, or absolute. The reference is the ED frame, or at grid position ``shown``.
        """
        heart, start = self.data.videos[index], self.data.starts[index]
        reference = self.array[start + (heart.ed if shown is None else heart.grid[shown])].astype(np.float32)
        found = self.array[start + heart.grid[at : at + frames]].astype(np.float32)
        return reference, found if self.absolute else found - reference

    def frame(self, index: int, at: int) -> tuple[Array, Array]:
        """Return the ED latent, and the latent at grid position ``at`` relative to it, both ``(C, h, w)``."""
        heart, start = self.data.videos[index], self.data.starts[index]
        reference = self.array[start + heart.ed].astype(np.float32)
        return reference, self.array[start + heart.grid[at]].astype(np.float32) - reference


def frame_batch(data: Prepared, rng: np.random.Generator, videos: int, each: int, share: Share = ALONE) -> Tensor:
    """Draw ``each`` frames (repeats allowed, in order of time) of ``videos`` different training videos, or of all.

    Returns:
        uint8 ``(videos, each, H, W)``, or a process's share of them; fewer videos where there are not so many.
    """
    pool = data.training
    count = share.most(min(videos, len(pool)), "training videos")
    chosen = rng.choice(len(pool), count, replace=False)
    drawn = [(pool[i].frames, np.sort(rng.integers(0, len(pool[i].frames), each))) for i in chosen]
    return torch.from_numpy(np.stack([frames[at] for frames, at in share.of(drawn)]))


def pyramid_loss(predicted: Tensor, target: Tensor, levels: int = 4) -> Tensor:
    """Return the L1 distance of Laplacian pyramids, levels weighted by ``2^level`` (Bojanowski, arXiv 1707.05776).

    With the low-pass rest as the last level, unlike MAFE's (`echo_augment.augmentor.mcdm.mafe.losses.laplacian_loss`).
    """
    pairs = zip(pyramid_levels(predicted, levels), pyramid_levels(target, levels), strict=True)
    return torch.stack([2**level * F.l1_loss(a, b) for level, (a, b) in enumerate(pairs)]).sum()


def pyramid_levels(image: Tensor, levels: int = 4) -> list[Tensor]:
    """Return the band-pass levels of ``(B, C, H, W)``, fine to coarse, the last one the low-pass rest."""
    found = []
    for _ in range(levels - 1):
        low = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)
        found.append(image - low)
        image = F.avg_pool2d(low, 2)
    return [*found, image]


def codec_loss(
    settings: CodecSettings, batches_a_step: int = 1, perceptual: LPIPS | None = None
) -> Callable[[nn.Module, Tensor], dict[str, Tensor]]:
    """Return the loss of uint8 frames ``(B, H, W)``: L1, Laplacian pyramid and LPIPS of the reconstruction, a small KL.

    With ``gan`` the network is a `Contested` codec, whose adversary counts from step ``gan_start`` on.

    Args:
        settings: weights of the parts.
        batches_a_step: batches of an optimiser step.
        perceptual: LPIPS, on the network's device; None leaves it out.
    """
    pyramid_weight = 1.0 if settings.pyramid is None else settings.pyramid

    def loss(model: nn.Module, frames: Tensor) -> dict[str, Tensor]:
        contested = model if isinstance(model, Contested) else None
        codec = cast(AutoencoderKL, model if contested is None else contested.codec)
        images = to_unit(frames, half_range(codec)).expand(-1, codec.config["in_channels"], -1, -1)
        posterior = codec.encode(images).latent_dist
        noise = torch.randn(posterior.mean.shape, device=images.device)
        decoded = codec.decode(posterior.mean + posterior.std * noise).sample.float()
        l1 = F.l1_loss(decoded, images)
        kl = 0.5 * (posterior.mean.float().pow(2) + posterior.var.float() - 1 - posterior.logvar.float()).mean()
        found, plain = {"l1": l1, "kl": kl}, l1
        if pyramid_weight:
            found["pyramid"] = pyramid_loss(decoded, images)
            plain = plain + pyramid_weight * found["pyramid"]
        if perceptual is not None:
            found["lpips"] = perceptual(decoded, images).mean()
            plain = plain + (settings.lpips or 0.0) * found["lpips"]
        whole = plain + settings.kl * kl
        if contested is not None:
            begun = contested.seen // batches_a_step >= (settings.gan_start or 0)
            weight = (settings.gan or 0.0) if begun else 0.0
            found |= contested.losses(plain, decoded, images, codec.decoder.conv_out.weight, weight)
            contested.seen += int(model.training)
            whole = whole + found["fooled"] + found["adversary"]
        return {"loss": whole, **found}

    return loss


def watched_frames(data: Prepared, count: int = 64) -> Tensor:
    """Return the ED and ES frames of the watched videos, ``(N, H, W)`` uint8."""
    return torch.from_numpy(np.stack([heart.frames[i] for heart in data.watched for i in (heart.ed, heart.es)][:count]))


def fit_scale(codec: AutoencoderKL, data: Prepared) -> dict[str, float]:
    """Scale the codec so that its latents of the watched videos have standard deviation 1; return its PSNR in dB."""
    frames = watched_frames(data)
    codec.register_to_config(scaling_factor=1.0)
    codec.register_to_config(scaling_factor=float(1 / encode(codec, frames).std()))
    restored = decode(codec, encode(codec, frames)).cpu()
    return {"psnr": frame_likeness(restored.numpy(), frames.numpy()).psnr}


def train(context: "StageContext") -> dict[str, float]:
    """Train the codec, or take the one that is given; measure its scale, and save it."""
    if context.codec is not None:
        figures = fit_scale(context.codec.to(context.device), context.data)
        context.save(context.codec, "codec")
        return {"steps": 0, **figures}
    codec, settings, data = context.networks.codec, context.preset.codec, context.data
    network: nn.Module = codec if settings.gan is None else Contested(codec, int(codec.config["in_channels"]))
    perceptual = None
    if settings.perceives:
        perceptual = load_lpips(Path(str(settings.lpips_weights))).to(context.device)
    elif settings.lpips:
        context.accelerator.print("codec: LPIPS is left out of the loss: preset.codec.lpips_weights names no folder")
    result = context.train(
        network.to(context.device),
        lambda rng, share: frame_batch(data, rng, settings.hearts, settings.each, share).flatten(0, 1),
        codec_loss(settings, context.settings.batches_a_step, perceptual),
        settings,
        name="codec",
        stream=STREAM,
    )
    figures = fit_scale(codec, data)
    context.save(codec, "codec")
    return {"steps": result.steps, "seconds": result.seconds, **figures}


def load(context: "StageContext") -> None:
    """Load the trained codec."""
    codec = saved_codec(context.out / "codec").to(context.device).eval()
    context.networks.codec = codec.to(memory_format=torch.channels_last)  # faster on a CPU


def make_latents(context: "StageContext") -> dict[str, float]:
    """Encode all frames, each process its share."""
    write_latents(context.data, context.networks.codec, context.out / "latents.npy", crew=context.crew)
    return {"frames": context.data.total}
