"""The stages of the generator's training, each a method."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import AdamW

from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.reid import ReIDEncoder
from echo_augment.augmentor.mcdm.transport import MotionTransport

from ..training.batches import endless
from ..training.fit import FitResult, fit
from ..training.optimiser import warmup_cosine
from .codec import Latents, codec_loss, frame_batch, write_latents
from .couplings import Couplings
from .denoiser import Windows, denoising_loss, noise_scheduler, write_codes
from .mafe import mafe_loss, pair_batch
from .motions import Motions, write_flows
from .networks import build_networks
from .prepare import Prepared
from .pseudo import PseudoLabels, write_pseudo
from .quality import fit_scale, interpolation_quality, nearest_share
from .reid import reid_step
from .settings import Options
from .stages import CODEC, MOTIONS, PAIRS, REID, STUDENT, WINDOWS, Stages
from .student import consistency_loss
from .transport import explained, transport_loss


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


Figures = dict[str, Any]


class GeneratorTraining:
    """Trains the networks of a preset one after the other; what is done already is read from ``out``.

    Args:
        preset: of the generator.
        data: the training hearts.
        stages: what is done.
        out: folder of the run.
        seed: of the first weights and of every batch.
        accelerator: devices, precision, trackers.
        options: beyond the preset.
        codec: a trained codec to take instead of training one; it is then finished by measuring its scale.
        teacher: the generator to distil, whose networks are in ``out`` already.
    """

    def __init__(
        self,
        preset: DictConfig,
        data: Prepared,
        stages: Stages,
        out: Path,
        seed: int,
        accelerator: Accelerator,
        options: Options,
        codec: AutoencoderKL | None = None,
        teacher: MCDMPipeline | None = None,
    ) -> None:
        self.preset, self.data, self.stages, self.out, self.options = preset, data, stages, out, options
        self.accelerator, self.device, self.given, self.teacher = accelerator, accelerator.device, codec, teacher
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            self.nets = build_networks(preset)
        self._common: dict[str, Any] = {"seed": seed, "out": out / "checkpoints", "accelerator": accelerator}
        self._read_latents: Latents | None = None
        self._read_motions: Motions | None = None

    def run(self) -> None:
        """Run the stages that the options ask for."""
        works: dict[str, Callable[[], Figures]] = {
            "codec": self._train_codec,
            "latents": self._make_latents,
            "reid": self._train_reid,
            "pseudo": self._make_pseudo,
            "mafe": self._train_mafe,
            "motions": self._make_motions,
            "transport": self._train_transport,
            "denoiser": self._train_denoiser,
            "couplings": self._make_couplings,
            "student": self._train_student,
        }
        loads: dict[str, Callable[[], None]] = {
            "codec": self._load_codec,
            "reid": self._load_reid,
            "mafe": self._load_mafe,
            "transport": self._load_transport,
            "denoiser": lambda: self._load_denoiser("denoiser"),
            "student": lambda: self._load_denoiser("student"),
        }
        for name in self.options.stages(self.preset):
            self.stages.run(name, works[name])
            self.accelerator.wait_for_everyone()
            if name in loads:
                loads[name]()

    def pipeline(self) -> MCDMPipeline:
        """The finished pipeline, after :meth:`run` of all stages."""
        preset, windows, nets = self.preset, self._windows(), self.nets
        sampler_steps = (preset.student if self.options.only == "student" else preset).sampler_steps
        return MCDMPipeline(
            nets.codec,
            nets.denoiser,
            nets.mafe,
            nets.reid,
            noise_scheduler(),
            nets.transport,
            frames=preset.frames,
            rate=preset.rate,
            size=preset.size,
            code=preset.code,
            code_mean=tuple(float(value) for value in windows.mean),
            code_std=tuple(float(value) for value in windows.std),
            preset=preset.name,
            detail=self.teacher is None or self.teacher.config["detail"],
            steps=max(sampler_steps, 0 if nets.transport is not None else 1),
        )

    def _save(self, net: Any, name: str) -> None:
        if self.accelerator.is_main_process:
            net.save_pretrained(self.out / name)

    def _train_codec(self) -> Figures:
        if self.given is not None:
            figures = fit_scale(self.given.to(self.device), self.data)
            self._save(self.given, "codec")
            return {"steps": 0, **figures}
        codec, settings = self.nets.codec, self.preset.codec
        result = train(
            codec,
            lambda rng: frame_batch(self.data, rng, settings.hearts, settings.each).flatten(0, 1),
            codec_loss(settings.kl),
            settings,
            name="codec",
            stream=CODEC,
            **self._common,
        )
        figures = fit_scale(codec, self.data)
        self._save(codec, "codec")
        return {"steps": result.steps, "seconds": result.seconds, **figures}

    def _load_codec(self) -> None:
        self.nets.codec = AutoencoderKL.from_pretrained(self.out / "codec").to(self.device).eval()

    def _train_reid(self) -> Figures:
        settings = self.preset.reid
        result = train(
            self.nets.reid,
            lambda rng: frame_batch(self.data, rng, settings.hearts, 2),
            reid_step,
            settings,
            name="reid",
            stream=REID,
            **self._common,
        )
        self._save(self.nets.reid, "reid")
        return {
            "steps": result.steps,
            "seconds": result.seconds,
            "nearest": nearest_share(self.nets.reid, self.data),
        }

    def _load_reid(self) -> None:
        self.nets.reid = ReIDEncoder.from_pretrained(self.out / "reid").to(self.device).eval()

    def _make_pseudo(self) -> Figures:
        if self.accelerator.is_main_process:
            write_pseudo(self.data, self.nets.reid, self.out / "pseudo.h5")
        return {"hearts": len(self.data.training)}

    def _train_mafe(self) -> Figures:
        settings, mafe = self.preset.mafe, self.nets.mafe
        labels = PseudoLabels(self.out / "pseudo.h5")
        result = train(
            mafe,
            lambda rng: pair_batch(self.data, labels, rng, settings.batch, settings.reach),
            mafe_loss(settings.losses.reid, settings.losses.flow),
            settings,
            name="mafe",
            stream=PAIRS,
            **self._common,
        )
        self._save(mafe, "mafe")
        kept = {key: result.losses[key] for key in ("psnr", "flow", "reid")}
        quality = interpolation_quality(mafe, self.data, settings.reach)
        return {"steps": result.steps, "seconds": result.seconds, **kept, **quality}

    def _load_mafe(self) -> None:
        self.nets.mafe = MAFE.from_pretrained(self.out / "mafe").to(self.device).eval()

    def _make_latents(self) -> Figures:
        if self.accelerator.is_main_process:
            write_latents(self.data, self.nets.codec, self.out / "latents.npy")
        return {"frames": self.data.total}

    def _make_motions(self) -> Figures:
        preset, mafe = self.preset, self.nets.mafe
        if not self.accelerator.is_main_process:
            pass
        elif preset.code == "transport":
            source = mafe if preset.transport.flow == "mafe" else PseudoLabels(self.out / "pseudo.h5")
            write_flows(self.data, source, self.out / "flows.npy")
        else:
            write_codes(self.data, mafe, preset.code, self.out / "codes.npy")
        return {"hearts": len(self.data.hearts)}

    def _latents(self) -> Latents:
        if self._read_latents is None:
            scale = None if self.teacher is None else float(self.nets.denoiser.config["motion_scale"])
            self._read_latents = Latents(self.data, self.out / "latents.npy", scale)
        return self._read_latents

    def _motions(self) -> Motions:
        if self._read_motions is None:
            self._read_motions = Motions(self.data, self._latents(), self.out / "flows.npy")
        return self._read_motions

    def _train_transport(self) -> Figures:
        settings, transport, latents = self.preset.transport, self.nets.transport, self._latents()
        assert transport is not None
        transport.register_to_config(scale=latents.scale)
        motions = self._motions()
        result = train(
            transport,
            lambda rng: motions.draw(rng, settings.batch),
            transport_loss(latents.scale),
            settings,
            name="transport",
            stream=MOTIONS,
            **self._common,
        )
        self._save(transport, "transport")
        return {"steps": result.steps, "seconds": result.seconds, "explained": explained(transport, motions)}

    def _load_transport(self) -> None:
        self.nets.transport = MotionTransport.from_pretrained(self.out / "transport").to(self.device).eval()

    def _windows(self) -> Windows:
        motion = self._motions() if self.preset.code == "transport" else self.out / "codes.npy"
        norm = None
        if self.teacher is not None:
            mean, std = (np.array(self.teacher.config[key], np.float32) for key in ("code_mean", "code_std"))
            norm = mean, std
        preset = self.preset
        return Windows(self.data, self._latents(), motion, frames=preset.frames, kind=preset.code, norm=norm)

    def _train_denoiser(self) -> Figures:
        settings, windows, denoiser = self.preset.denoiser, self._windows(), self.nets.denoiser
        scale = self._latents().scale
        denoiser.register_to_config(motion_scale=scale)
        if self.options.checkpointing:
            denoiser.enable_gradient_checkpointing()
        result = train(
            denoiser,
            lambda rng: windows.draw(rng, settings.batch),
            denoising_loss(settings.noise_offset, settings.drop, self.nets.transport, scale),
            settings,
            name="denoiser",
            stream=WINDOWS,
            **self._common,
        )
        self._save(denoiser, "denoiser")
        return {"steps": result.steps, "seconds": result.seconds, "loss": result.losses["loss"]}

    def _couplings(self) -> Couplings:
        return Couplings(self._windows(), self.out / "couplings.npy", self._common["seed"])

    def _make_couplings(self) -> Figures:
        settings, couplings, accelerator = self.preset.couplings, self._couplings(), self.accelerator
        couplings.write(
            self.nets.denoiser,
            self.nets.transport,
            clips=settings.clips,
            steps=settings.steps,
            batch=settings.batch,
            share=(accelerator.process_index, accelerator.num_processes),
            autocast=accelerator.autocast,
        )
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            couplings.join(settings.clips, settings.batch)
        return {"clips": settings.clips}

    def _train_student(self) -> Figures:
        settings = self.preset.student
        teacher, scale = self.nets.denoiser, self._latents().scale
        student = copy.deepcopy(teacher).requires_grad_(True)
        if self.options.checkpointing:
            student.enable_gradient_checkpointing()
        reflow, transport, offset = settings.kind == "reflow", self.nets.transport, self.preset.denoiser.noise_offset
        pairs: Windows | Couplings = self._couplings() if reflow else self._windows()
        result = train(
            student,
            lambda rng: pairs.draw(rng, settings.batch),
            denoising_loss(0, 0, transport, scale)
            if reflow
            else consistency_loss(teacher, transport, scale, grid=settings.grid, noise_offset=offset),
            settings,
            name="student",
            stream=STUDENT,
            **self._common,
        )
        self._save(student, "student")
        return {
            "steps": result.steps,
            "seconds": result.seconds,
            **{k: v for k, v in result.losses.items() if k != "grad_norm"},
        }

    def _load_denoiser(self, stage: str) -> None:
        self.nets.denoiser = MotionDenoiser.from_pretrained(self.out / stage).to(self.device).eval()
