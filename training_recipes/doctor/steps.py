"""A training step of every stage of a preset on made-up batches: to count what it keeps in memory, and to time it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from echo_augment.augmentor.mcdm.flow import SHRINK
from echo_augment.augmentor.mcdm.residual import ResidualDenoiser

from ..generator.codec import codec_loss
from ..generator.denoiser import denoising_loss, scheduler_of
from ..generator.diffusion import Diffusion, LatentDiffusion, ResidualDiffusion
from ..generator.distil.student import consistency_loss
from ..generator.mafe import mafe_loss, with_head
from ..generator.motions import DISK, SHOWN, Copies
from ..generator.networks import Networks
from ..generator.preset import PresetSettings
from ..generator.reid import reid_step
from ..generator.stage_settings import FitSettings
from ..generator.transport import transport_loss
from ..training.adversary import Contested
from ..training.fit import LossFn

Batch = dict[str, Tensor]
Place = Callable[[nn.Module], nn.Module]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a stage trains, and on what.

    Attributes:
        stage: its name.
        network: that is trained, on its device.
        loss: as `echo_augment.training_recipes.training.fit.fit` takes it.
        batch: makes a batch of so many items there, of random numbers.
        items: of a batch, as the preset has it: videos, pairs, frames or windows.
        size: the setting that says so.
        settings: of the stage.
        held: networks that lie on the device meanwhile, and are not trained.
    """

    stage: str
    network: nn.Module
    loss: LossFn
    batch: Callable[[int], Any]
    items: int
    size: str
    settings: FitSettings
    held: tuple[nn.Module, ...] = ()


def training_steps(preset: PresetSettings, nets: Networks, place: Place, *, contested: bool = True) -> dict[str, Step]:
    """Return the steps of all stages of a preset that train a network, by the stage's name, in their order.

    Args:
        preset: sizes and batches.
        nets: the preset's networks, on the device.
        place: puts a module there.
        contested: let a codec's adversary count from the first step on: it asks for gradients, which tensors without
            numbers cannot give.
    """
    device, size = nets.codec.device, preset.size
    codec, start = preset.codec, preset.codec.gan_start
    rivals: nn.Module = nets.codec
    if codec.gan is not None:
        rivals = place(Contested(nets.codec, int(nets.codec.config["in_channels"])))
    trained = replace(codec, gan_start=None if contested else start or codec.steps)
    steps = [
        Step(
            stage="codec",
            network=rivals,
            loss=codec_loss(trained),
            batch=lambda count: grey(device, count * codec.each, size, size),
            items=codec.hearts,
            size="hearts",
            settings=codec,
        ),
        Step(
            stage="reid",
            network=nets.reid,
            loss=reid_step,
            batch=lambda count: grey(device, count, 2, size, size),
            items=preset.reid.hearts,
            size="hearts",
            settings=preset.reid,
        ),
        Step(
            stage="mafe",
            network=place(with_head(nets.mafe, preset.reid.embedding, 0)),
            loss=mafe_loss(preset.mafe.losses),
            batch=lambda count: pairs(preset, device, count),
            items=preset.mafe.batch,
            size="batch",
            settings=preset.mafe,
        ),
    ]
    if nets.transport is not None:
        steps.append(
            Step(
                stage="transport",
                network=nets.transport,
                loss=transport_loss(1.0, nets.mafe, nets.codec),
                batch=lambda count: copied_frames(preset, device, count),
                items=preset.transport.batch,
                size="batch",
                settings=preset.transport,
                held=(nets.mafe, nets.codec),
            )
        )
    steps += diffusion_steps(preset, nets, place)
    return {step.stage: step for step in steps}


def diffusion_steps(preset: PresetSettings, nets: Networks, place: Place) -> list[Step]:
    """Return the steps of denoiser and student."""
    settings, source, device = preset.denoiser, nets.denoiser, nets.codec.device
    moved = () if nets.transport is None else (nets.transport,)
    each = settings.offset_each or "frame"
    offset, drop = (settings.noise_offset, settings.drop) if nets.transport is None else (0.0, 0.0)
    diffusion = diffusion_for(preset, nets)
    learned = denoising_loss(diffusion)
    if preset.student.kind != "reflow":
        fixed = place(copy.deepcopy(source)).requires_grad_(False)
        learned = consistency_loss(fixed, diffusion, grid=preset.student.grid, noise_offset=offset, offset_each=each)
    reflow = preset.student.kind == "reflow"
    denoiser = Step(
        stage="denoiser",
        network=source,
        loss=denoising_loss(diffusion, offset, drop, each),
        batch=lambda count: windows(preset, nets, device, count),
        items=settings.batch,
        size="batch",
        settings=settings,
        held=moved,
    )
    student = replace(
        denoiser,
        stage="student",
        loss=learned,
        batch=lambda count: windows(preset, nets, device, count, reflow=reflow),
        items=preset.student.batch,
        settings=preset.student,
        held=(*moved, source),
    )
    return [denoiser, student]


def diffusion_for(preset: PresetSettings, nets: Networks) -> Diffusion:
    """Return the diffusion of a preset, in units of 1."""
    if isinstance(nets.denoiser, ResidualDenoiser):
        assert nets.transport is not None, "a preset with a residual denoiser has a transport"
        return ResidualDiffusion(nets.transport, 1.0, (1.0,) * 4)
    return LatentDiffusion(scheduler_of(preset))


# ------------------------------------------------------------------------------------------------- made-up batches
def grey(device: torch.device, *shape: int) -> Tensor:
    """Return frames of random gray levels."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, device=device)


def pairs(preset: PresetSettings, device: torch.device, count: int) -> Batch:
    """Return pairs of frames, as `echo_augment.training_recipes.generator.mafe.pair_batch` draws them."""
    side = preset.size // SHRINK
    flow = (4, preset.size, preset.size) if preset.mafe.losses.flow_target == "ends" else (2, side, side)
    return {
        "frames": grey(device, count, 3, preset.size, preset.size),
        "flow": torch.randn(count, *flow, device=device),
        "embedding": torch.randn(count, 2, preset.reid.embedding, device=device),
    }


def copied_frames(preset: PresetSettings, device: torch.device, count: int) -> Batch:
    """Return frames with their affine copies, as `echo_augment.training_recipes.generator.motions.Motions` draws."""
    side = preset.size // SHRINK
    batch = {
        "pair": grey(device, count, 2, preset.size, preset.size),
        "teacher": torch.randn(count, 2, side, side, device=device),
    }
    if preset.transport.flow == "teacher":
        batch["flow"] = torch.randn(count, 2, side, side, device=device).half()
    copies = Copies(
        linear=torch.eye(2, device=device).repeat(count, 1, 1),
        shift=torch.zeros(count, 2, device=device),
        gain=torch.ones(count, device=device),
        gamma=torch.ones(count, device=device),
        disks={key: torch.full((count, 1, 1), sum(ends) / 2, device=device) for key, ends in DISK.items()},
    )
    return batch | copies.plain() | copies.plain(SHOWN)


def windows(preset: PresetSettings, nets: Networks, device: torch.device, count: int, *, reflow: bool = False) -> Batch:
    """Return windows, as `echo_augment.training_recipes.generator.denoiser.Windows` draws them.

    Args:
        preset: says how long they are.
        nets: the preset's: the codes are what the denoiser takes.
        device: of the tensors.
        count: windows.
        reflow: with noise, and what became of it.
    """
    frames, side = preset.frames, preset.size // 8
    shape, codes = (count, frames, 4, side, side), 1 if preset.code == "vector" else frames
    batch = {
        "latents": torch.randn(shape, device=device),
        "reference": torch.randn(count, 4, side, side, device=device),
        "there": torch.ones(count, frames, dtype=torch.bool, device=device),
        "motion": torch.randn(count, codes, int(nets.denoiser.config["code_size"]), device=device),
    }
    return batch | ({key: torch.randn(shape, device=device) for key in ("noise", "clean")} if reflow else {})
