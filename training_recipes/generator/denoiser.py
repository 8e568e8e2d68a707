"""Stage ``denoiser``: windows of latents and motion, and the diffusion loss."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers.schedulers import DDIMScheduler
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.motion import Codes, pad_to
from echo_augment.augmentor.mcdm.residual import ResidualDenoiser
from echo_augment.augmentor.mcdm.transport import MotionTransport

from ..common.ranks import ALONE, Share
from ..training.together import mean_of_all
from .codec import Latents
from .diffusion import CLIP_RANGE, SPACING, Diffusion, LatentDiffusion, ResidualDiffusion, noise_scheduler
from .prepare import Prepared
from .preset import PresetSettings

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 3  # of random numbers
MEASURED = 200  # videos whose residual is measured


class Windows:
    """Draws training windows: latents relative to the reference frame's, or absolute; the latter's; and the motion.

    Args:
        data: the videos.
        latents: those of their frames.
        motion: path of an array of codes, one video after the other: a row a frame (or a video, of a vector); of a
            transport, a row a frame of each affine copy of the video's, ``(N, copies, D)``, of which a window has one.
        frames: frames of a window, at the generator's frame rate.
        kind: kind of the codes, as a preset's ``code``; a transport's are taken as they are.
        norm: mean and standard deviation of the codes, ``(D,)`` each, of a denoiser that is trained; None to measure
            them.
        reference: whose latent a window comes with: ``ed``, the ED frame's, or ``any``, a random frame's of its video.
    """

    def __init__(
        self,
        data: Prepared,
        latents: Latents,
        motion: Path,
        *,
        frames: int,
        kind: str,
        norm: tuple[Codes, Codes] | None = None,
        reference: str = "ed",
    ) -> None:
        self.data, self.latents, self.frames, self.vector = data, latents, frames, kind == "vector"
        self.any_reference = reference == "any"
        raw = np.load(motion, allow_pickle=False)
        counts = [1 if self.vector else len(heart.grid) for heart in data.videos]
        ends = np.cumsum(counts)
        self.mean, self.std = np.zeros(1, np.float32), np.ones(1, np.float32)
        if kind != "transport":
            trained = raw[: ends[len(data.training) - 1]]
            self.mean, self.std = norm or (trained.mean(0), trained.std(0) + 1e-6)
        codes_of = np.split(((raw - self.mean) / self.std).astype(np.float32), ends[:-1])
        self.codes = [torch.from_numpy(part) for part in codes_of]

    def window(self, index: int, at: int, copy: float, shown: int | None = None) -> dict[str, Tensor]:
        """Return a window of a video; a short one is padded and masked.

        Args:
            index: the video.
            at: grid position of its first frame.
            copy: which of the copies has the say, as a share of them in [0, 1).
            shown: grid position of the reference frame; None for the ED frame.
        """
        reference, found = self.latents.window(index, at, self.frames, shown)
        part = torch.from_numpy(found / self.latents.scale)
        there = torch.arange(self.frames) < len(part)
        missing = self.frames - len(part)
        if missing:
            part = torch.cat([part, torch.zeros(missing, *part.shape[1:])])
        codes = self.codes[index]
        if codes.ndim == 3:
            codes = codes[:, int(copy * codes.shape[1])]
        motion = codes if self.vector else pad_to(codes[at : at + self.frames], self.frames)[0]
        return {"latents": part, "reference": torch.from_numpy(reference), "there": there, "motion": motion}

    def draw(
        self, rng: np.random.Generator, count: int, share: Share = ALONE, *, watched: bool = False
    ) -> dict[str, Tensor]:
        """Draw ``count`` windows of random videos at random phases, or a process's share of them, stacked.

        ``watched``: of the watched videos.
        """
        first = len(self.data.training) if watched else 0
        last = len(self.data.videos) if watched else len(self.data.training)
        drawn = []
        for index in rng.integers(first, last, count):
            room = max(0, len(self.data.videos[index].grid) - self.frames)
            place = int(index), int(rng.integers(room + 1)), float(rng.random())
            shown = int(rng.integers(len(self.data.videos[index].grid))) if self.any_reference else None
            drawn.append((*place, shown))
        return stacked([self.window(*one) for one in share.of(drawn)])


def stacked(items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return a batch of its items."""
    return {key: torch.stack([item[key] for item in items]) for key in items[0]}


def denoising_loss(
    diffusion: Diffusion, noise_offset: float = 0.0, drop: float = 0.0, offset_each: str = "frame"
) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Return a loss: the mean squared error of what the network predicts, over the frames that exist.

    Args:
        diffusion: what is diffused, and how. A batch with ``noise`` gets no other.
        noise_offset: noise shared by all pixels of a frame's channel, as a share of its standard deviation.
        drop: share of clips whose motion is withheld.
        offset_each: whether every frame has a number of its own, or every ``clip``, as in the reference.
    """

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        given = diffusion.given(batch)
        device, count = given.clean.device, len(given.clean)
        noise = batch["noise"] if "noise" in batch else draw_noise(given.clean, noise_offset, offset_each)
        levels = diffusion.levels(count, device)
        alpha, sigma = diffusion.shares(levels)
        dropped = torch.rand(count, device=device) < drop
        ends, error = diffusion.ends(model, alpha * given.clean + sigma * noise, levels, given, dropped)
        found = {"loss": frames_mean(error, batch["there"])}
        if given.expected is not None:  # 1 is the spread of the residual: what is left if none of it is found
            found["left"] = frames_mean((ends - given.clean).detach().pow(2).mean((2, 3, 4)), batch["there"])
        return found

    return loss


def draw_noise(clean: Tensor, offset: float, each: str = "frame") -> Tensor:
    """Draw noise for latents ``(B, F, C, h, w)``, and add ``offset`` times one number for all pixels of a channel.

    ``each``: one a ``frame``, or one a ``clip``.
    """
    noise = torch.randn(clean.shape, device=clean.device)
    count, frames, channels = clean.shape[:3]
    return noise + offset * torch.randn(count, frames if each == "frame" else 1, channels, 1, 1, device=clean.device)


def frames_mean(values: Tensor, there: Tensor) -> Tensor:
    """Return the mean of ``values (B, F)`` over the frames that exist, of all processes' batches on average."""
    return (values * there).sum() / mean_of_all(there.sum())


def measure_spread(windows: Windows, transport: MotionTransport) -> tuple[float, ...]:
    """Return the standard deviation of the residual over up to 200 training videos, a number a latent channel.

    It is that of the latents about the transport's prediction by codes of the videos' affine copies.
    """
    scale, rng = windows.latents.scale, np.random.default_rng(0)
    squares = []
    with torch.no_grad():
        for index in range(min(MEASURED, len(windows.data.training))):
            window = windows.window(index, 0, float(rng.random()))
            one = {key: value[None].to(transport.device) for key, value in window.items()}
            left = one["latents"] * scale - transport.predict(one["reference"], one["motion"]).float()
            squares.append(left[one["there"]].pow(2).mean((0, 2, 3)).cpu())
    return tuple(float(value) for value in torch.stack(squares).mean(0).sqrt().clamp_min(1e-4))


def scheduler_of(preset: PresetSettings) -> DDIMScheduler:
    """Return the diffusion of whole latents as a preset has it."""
    asked = preset.denoiser
    return noise_scheduler(asked.clip_range or CLIP_RANGE, asked.spacing or SPACING)


def diffusion_of(context: "StageContext") -> Diffusion:
    """Return the diffusion of a run's denoiser."""
    denoiser, transport = context.networks.denoiser, context.networks.transport
    if not isinstance(denoiser, ResidualDenoiser):
        return LatentDiffusion(scheduler_of(context.preset))
    assert transport is not None, "a preset with a residual denoiser has a transport"
    return ResidualDiffusion(transport, context.latents.scale, tuple(denoiser.config["spread"]))


def train(context: "StageContext") -> dict[str, float]:
    """Train the denoiser, and save it."""
    settings, denoiser, windows = context.preset.denoiser, context.networks.denoiser, context.windows
    if isinstance(denoiser, ResidualDenoiser):
        assert context.networks.transport is not None, "a preset with a residual denoiser has a transport"
        denoiser.register_to_config(spread=measure_spread(windows, context.networks.transport))
        loss = denoising_loss(diffusion_of(context))
    else:
        denoiser.register_to_config(motion_scale=context.latents.scale)
        each = settings.offset_each or "frame"
        loss = denoising_loss(diffusion_of(context), settings.noise_offset, settings.drop, each)
    if context.settings.checkpointing:
        denoiser.enable_gradient_checkpointing()
    result = context.train(
        denoiser,
        lambda rng, share: windows.draw(rng, settings.batch, share),
        loss,
        settings,
        name="denoiser",
        stream=STREAM,
    )
    context.save(denoiser, "denoiser")
    figures: dict[str, float] = {"steps": result.steps, "seconds": result.seconds}
    return figures | {key: result.losses[key] for key in ("loss", "left") if key in result.losses}


def load(context: "StageContext", stage: str = "denoiser") -> None:
    """Load the trained denoiser, or the student in its place."""
    kind = ResidualDenoiser if isinstance(context.networks.denoiser, ResidualDenoiser) else MotionDenoiser
    context.networks.denoiser = kind.from_pretrained(context.out / stage).to(context.device).eval()
