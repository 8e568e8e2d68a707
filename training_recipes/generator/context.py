"""What the stages of a run share, and the runner that goes through them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL
from diffusers.models.modeling_utils import ModelMixin
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from ..common.parts import Crew
from ..common.ranks import Share
from ..training.ahead import Finish
from ..training.batches import endless
from ..training.fit import LossFn, fit
from ..training.optimiser import warmup_constant, warmup_cosine
from ..training.setup import crew_of, share_of
from ..training.state import FitResult, Validate
from .codec import Latents
from .denoiser import Windows
from .distil.source_generator import SourceGenerator
from .ledger import Ledger
from .motions import Motions
from .networks import Networks
from .prepare import Prepared
from .preset import PresetSettings
from .pseudo import PseudoLabels
from .settings import GeneratorSettings
from .stage_settings import FitSettings

WEIGHT_DECAY = 0.01  # AdamW's own
AHEAD = 2  # batches that are ready while the device computes


@dataclass(kw_only=True)
class StageContext:
    """What the stages of a run share.

    Attributes:
        settings: the job's.
        data: the training videos.
        networks: untrained at first; a stage that is loaded puts its own in their place.
        accelerator: devices, precision, trackers.
        out: folder of the run.
        codec: a trained codec to take instead of training one; it is then finished by measuring its scale.
        source: the generator to distil, whose networks are in ``out`` already.
        start: the generator whose networks are trained further, in the place of fresh ones.
    """

    settings: GeneratorSettings
    data: Prepared
    networks: Networks
    accelerator: Accelerator
    out: Path
    codec: AutoencoderKL | None = None
    source: SourceGenerator | None = None
    start: SourceGenerator | None = None

    @property
    def preset(self) -> PresetSettings:
        """The preset, with MAFE's losses as ``losses=`` asks for."""
        return self.settings.with_losses()

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return torch.device(self.accelerator.device)

    @property
    def crew(self) -> Crew:
        """This process among those that make a stage's files together."""
        return crew_of(self.accelerator)

    @cached_property
    def latents(self) -> Latents:
        """The latents of all frames, in the unit of the source generator if there is one."""
        scale = None
        if self.source is not None:
            unit = self.networks.transport or self.networks.denoiser
            scale = float(unit.config["scale" if self.networks.transport is not None else "motion_scale"])
        return Latents(self.data, self.out / "latents.npy", scale, absolute=bool(self.preset.denoiser.absolute))

    @cached_property
    def motions(self) -> Motions:
        """The frames of all videos, for codes of the motion transport."""
        flows = self.out / "flows.npy" if self.preset.transport.flow == "teacher" else None
        return Motions(self.data, self.latents, flows, PseudoLabels(self.out / "pseudo.h5"))

    @cached_property
    def windows(self) -> Windows:
        """The windows of latents and motion that the denoiser learns from."""
        preset = self.preset
        motion = self.out / ("copies.npy" if preset.code == "transport" else "codes.npy")
        norm = None
        if self.source is not None:
            config = self.source.pipeline.config
            norm = np.array(config["code_mean"], np.float32), np.array(config["code_std"], np.float32)
        return Windows(
            self.data,
            self.latents,
            motion,
            frames=preset.frames,
            kind=preset.code,
            norm=norm,
            reference=preset.denoiser.reference or "ed",
        )

    def train(
        self,
        network: nn.Module,
        draw: Callable[[np.random.Generator, Share], Any],
        loss_fn: LossFn,
        settings: FitSettings,
        *,
        name: str,
        stream: int,
        finish: Finish | None = None,
        validate: Validate | None = None,
        validate_every: int | None = None,
        select: str | None = None,
    ) -> FitResult:
        """Train a network in place.

        Args:
            network: the stage's.
            draw: makes a process's share of a batch; a pure function of the random generator.
            loss_fn: losses of the network on a batch, as `fit` takes them.
            settings: the stage's.
            name: the stage's, for its checkpoint and log.
            stream: number of the stage's random numbers; no two stages have the same.
            finish: makes of a batch on the device what the losses take.
            validate: as of `fit`, like the two below.
            validate_every: steps between two validations.
            select: the figure by which weights are kept.

        Raises:
            EchoAugmentError: the processes that train together cannot share a batch equally.
        """
        if not settings.steps:
            return FitResult()  # the weights stay as they are
        share = share_of(self.accelerator)
        size = "hearts" if hasattr(settings, "hearts") else "batch"
        share.check(f"preset.{name}.{size}", getattr(settings, size))
        decay = WEIGHT_DECAY if settings.weight_decay is None else settings.weight_decay
        fused = self.device.type == "cuda" or None
        optimizer = AdamW(network.parameters(), lr=settings.lr, weight_decay=decay, fused=fused)
        return fit(
            network,
            endless(draw, self.settings.seed, stream, share),
            loss_fn,
            steps=settings.steps,
            optimizer=optimizer,
            scheduler=schedule_of(optimizer, settings),
            out=self.out / "checkpoints",
            name=name,
            seed=self.settings.seed,
            accelerator=self.accelerator,
            ema_decay=settings.ema,
            validate=validate,
            validate_every=validate_every,
            select=select,
            save_every=settings.save_every,
            finish=finish,
            ahead=AHEAD,
            compile=bool(self.settings.compile),
            announce=True,
        )

    def save(self, network: ModelMixin, name: str) -> None:
        """Save a network in the run's folder, from one process."""
        if self.accelerator.is_main_process:
            network.save_pretrained(self.out / name)


def schedule_of(optimizer: AdamW, settings: FitSettings) -> LambdaLR:
    """Return the schedule of a stage's learning rate."""
    if settings.schedule == "constant":
        return warmup_constant(optimizer, warmup=settings.warmup)
    return warmup_cosine(optimizer, settings.horizon or settings.steps, warmup=settings.warmup)


def run_stages(context: StageContext, ledger: Ledger) -> None:
    """Run the stages that the settings ask for, skip those that are done, and load every network.

    Args:
        context: what the stages share.
        ledger: says which stages are done, and keeps the figures of the others.
    """
    for stage in context.settings.stages:
        ledger.run(stage.name, lambda stage=stage: stage.train(context))  # type: ignore[misc]
        context.accelerator.wait_for_everyone()
        if stage.load is not None:
            stage.load(context)
