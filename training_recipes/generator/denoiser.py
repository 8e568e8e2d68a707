"""Stage ``denoiser``: windows of latents and motion, and the diffusion loss."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers.schedulers import DDIMScheduler
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from echo_augment.augmentor.mcdm.denoiser import BETAS, TIMESTEPS, MotionDenoiser
from echo_augment.augmentor.mcdm.motion import Codes, pad_to
from echo_augment.augmentor.mcdm.transport import MotionTransport

from ..common.ranks import ALONE, Share
from ..training.together import mean_of_all, strata
from .codec import Latents
from .motions import Copies, Drawn, Motions, draw_copies, make_copies
from .prepare import Prepared

if TYPE_CHECKING:
    from .context import StageContext

STREAM = 3  # of random numbers


class Windows:
    """Draws training windows: latents relative to the ED frame's, the ED frame's latent, and the motion.

    Args:
        data: the videos.
        latents: those of their frames.
        motion: path of an array of codes, one video after the other; or, for codes of a transport, what it reads them
            from: every window's are those of an affine copy, as in the transport's own training.
        frames: frames of a window, at the generator's frame rate.
        kind: kind of the codes, as a preset's ``code``.
        norm: mean and standard deviation of the codes, ``(D,)`` each, of a denoiser that is trained; None to measure
            them.
    """

    def __init__(
        self,
        data: Prepared,
        latents: Latents,
        motion: Path | Motions,
        *,
        frames: int,
        kind: str,
        norm: tuple[Codes, Codes] | None = None,
    ) -> None:
        self.data, self.latents, self.frames, self.vector = data, latents, frames, kind == "vector"
        self.motions = motion if isinstance(motion, Motions) else None
        self.mean, self.std = np.zeros(1, np.float32), np.ones(1, np.float32)
        if isinstance(motion, Motions):
            return  # the transport reads its own codes, as they are
        raw = np.load(motion, allow_pickle=False)
        counts = [1 if self.vector else len(heart.grid) for heart in data.videos]
        ends = np.cumsum(counts)
        trained = raw[: ends[len(data.training) - 1]]
        self.mean, self.std = norm or (trained.mean(0), trained.std(0) + 1e-6)
        codes_of = np.split(((raw - self.mean) / self.std).astype(np.float32), ends[:-1])
        self.codes = [torch.from_numpy(part) for part in codes_of]

    def window(self, index: int, at: int, copies: Copies | None) -> Drawn:
        """Return a window of video ``index`` from grid position ``at`` on; short videos are padded and masked."""
        reference, relative = self.latents.window(index, at, self.frames)
        part = torch.from_numpy(relative / self.latents.scale)
        there = torch.arange(self.frames) < len(part)
        last = len(part) - 1
        missing = self.frames - len(part)
        if missing:
            part = torch.cat([part, torch.zeros(missing, *part.shape[1:])])
        given: Drawn = {"latents": part, "reference": torch.from_numpy(reference), "there": there}
        if self.motions is not None and copies is not None:
            return given | {"copies": self.motions.window(copies, index, at + np.arange(self.frames).clip(max=last))}
        codes = self.codes[index]
        return given | {"motion": codes if self.vector else pad_to(codes[at : at + self.frames], self.frames)[0]}

    def draw(self, rng: np.random.Generator, count: int, share: Share = ALONE, *, watched: bool = False) -> Drawn:
        """Draw ``count`` windows of random videos at random phases, or a process's share of them, stacked.

        Affine copies are still to be made of it (`echo_augment.training_recipes.generator.motions.make_copies`).
        ``watched``: of the watched videos.
        """
        first = len(self.data.training) if watched else 0
        last = len(self.data.videos) if watched else len(self.data.training)
        drawn = []
        for index in rng.integers(first, last, count):
            room = max(0, len(self.data.videos[index].grid) - self.frames)
            at = int(rng.integers(room + 1))
            drawn.append((int(index), at, None if self.motions is None else draw_copies(rng, 1)))
        return stacked([self.window(*one) for one in share.of(drawn)])


def stacked(items: Sequence[Drawn]) -> Drawn:
    """Return the parts of a batch from those of its items."""
    batch: Drawn = tree_map(lambda *parts: torch.stack(parts), items[0], *items[1:])
    return batch


def noise_scheduler() -> DDIMScheduler:
    """Return MCDM's diffusion: 1,000 steps, linear betas 1e-4 to 0.02, v-prediction; clipped at 6 standard deviations.

    The reference clips at 4; here the latents are relative to the reference frame's, whose tails are longer.
    """
    return DDIMScheduler(
        num_train_timesteps=TIMESTEPS,
        beta_start=BETAS[0],
        beta_end=BETAS[1],
        beta_schedule="linear",
        prediction_type="v_prediction",
        clip_sample=True,
        clip_sample_range=6.0,
        timestep_spacing="trailing",
    )


def denoising_loss(
    noise_offset: float, drop: float, transport: MotionTransport | None = None, scale: float = 1.0
) -> Callable[[nn.Module, dict[str, Tensor]], dict[str, Tensor]]:
    """Return a loss, the mean squared error of v over the frames that exist; a batch with ``noise`` gets no other.

    Args:
        noise_offset: noise shared by all pixels of a frame's channel, as a share of its standard deviation.
        drop: share of clips whose motion is withheld.
        transport: hints at where the latents are; None for a denoiser that takes no hints.
        scale: unit of the latents; the transport's are in latent units.
    """
    scheduler = noise_scheduler()

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        clean = batch["latents"]
        device, count = clean.device, len(clean)
        noise = batch["noise"] if "noise" in batch else draw_noise(clean, noise_offset)
        # One draw per stratum of the noise levels: the loss of a small batch varies much less.
        steps = (strata(count, device) * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)
        noisy = scheduler.add_noise(clean, noise, steps)
        target = scheduler.get_velocity(clean, noise, steps)
        dropped = torch.rand(count, device=device) < drop
        motion, hint = condition(transport, batch, scale)
        v = model(noisy, steps, batch["reference"], motion, dropped, hint)
        return {"loss": frames_mean((v.float() - target).pow(2).mean((2, 3, 4)), batch["there"])}

    return loss


def draw_noise(clean: Tensor, offset: float) -> Tensor:
    """Draw noise for latents ``(B, F, C, h, w)``, and add ``offset`` times one number for all pixels of a channel."""
    noise = torch.randn(clean.shape, device=clean.device)
    return noise + offset * torch.randn(*clean.shape[:3], 1, 1, device=clean.device)


def condition(
    transport: MotionTransport | None, batch: dict[str, Tensor], scale: float
) -> tuple[Tensor, Tensor | None]:
    """Return the motion codes of a batch ``(B, F, D)``, and where the transport expects its latents, in ``scale``s.

    Without a transport the codes are the batch's own, and there is no such hint.
    """
    if transport is None:
        return batch["motion"], None
    count, frames = batch["flow"].shape[:2]
    with torch.no_grad():
        seen = (batch[key].flatten(0, 1) for key in ("flow", "frames", "disks"))
        motion = transport.encode(*seen).float().unflatten(0, (count, frames))
        return motion, transport.predict(batch["reference"], motion).float() / scale


def frames_mean(values: Tensor, there: Tensor) -> Tensor:
    """Return the mean of ``values (B, F)`` over the frames that exist, of all processes' batches on average."""
    return (values * there).sum() / mean_of_all(there.sum())


def train(context: "StageContext") -> dict[str, float]:
    """Train the denoiser, and save it."""
    settings, denoiser, windows = context.preset.denoiser, context.networks.denoiser, context.windows
    scale = context.latents.scale
    denoiser.register_to_config(motion_scale=scale)
    if context.settings.checkpointing:
        denoiser.enable_gradient_checkpointing()
    result = context.train(
        denoiser,
        lambda rng, share: windows.draw(rng, settings.batch, share),
        denoising_loss(settings.noise_offset, settings.drop, context.networks.transport, scale),
        settings,
        name="denoiser",
        stream=STREAM,
        finish=make_copies,
    )
    context.save(denoiser, "denoiser")
    return {"steps": result.steps, "seconds": result.seconds, "loss": result.losses["loss"]}


def load(context: "StageContext", stage: str = "denoiser") -> None:
    """Load the trained denoiser, or the student in its place."""
    context.networks.denoiser = MotionDenoiser.from_pretrained(context.out / stage).to(context.device).eval()
