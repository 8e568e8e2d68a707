"""Table ``training``: what a training step costs the host, next to its arithmetic: how much of a GPU that leaves."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from echo_augment.augmentor.mcdm.phase import Heart
from echo_augment.augmentor.mcdm.residual import ResidualDenoiser
from echo_augment.augmentor.mcdm.training_videos import TrainingVideos
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.generator.codec import Latents
from echo_augment.training_recipes.generator.denoiser import Windows, denoising_loss
from echo_augment.training_recipes.generator.diffusion import Diffusion, LatentDiffusion, ResidualDiffusion
from echo_augment.training_recipes.generator.networks import Networks, build_networks
from echo_augment.training_recipes.generator.prepare import Prepared
from echo_augment.training_recipes.generator.preset import PresetSettings, named_preset
from echo_augment.training_recipes.training.ahead import ready

from .rows import Row, Table, number
from .settings import TrainingSettings
from .timing import Contender, Seconds, Spread

VIDEOS, SECONDS, COPIES = 24, 4.0, 4  # made-up videos: what is in them costs nothing
HOST, CALLS = 10.0, 10.0  # milliseconds a step; calls of the moving average
Step = tuple[nn.Module, Callable[[nn.Module, Any], dict[str, Tensor]], dict[str, Tensor]]
HOW = (
    "Preset {preset}, batches of {batches}, {videos} made-up videos in the page cache. Host: a core's own time to "
    "draw a batch, which a thread does while the device computes. Arithmetic: floating-point operations of a "
    "step, forward and backward, at {teraflops} TFLOP/s, about what an H100 or H200 reaches in bf16 here; "
    "counted, not run. Share of the card: arithmetic over the longer of both; before batches were drawn ahead it "
    "was arithmetic over their sum."
)


def load_preset(name: str) -> PresetSettings:
    """Return a preset by its name.

    Raises:
        EchoAugmentError: there is no such preset, or its training has no motion transport.
    """
    preset = named_preset(name)
    if preset.code != "transport":
        raise EchoAugmentError(f"training.preset={name} has no motion transport", "Take base or tiny")
    return preset


def made_up(folder: Path, preset: PresetSettings) -> Windows:
    """Return training windows of made-up videos, whose arrays lie in a folder as a run's do."""
    rng = np.random.default_rng(0)
    length, size = int(2 * preset.rate * SECONDS), preset.size
    total = VIDEOS * length
    codes = rng.standard_normal((total // 2, COPIES, preset.transport.code_size), np.float32)
    values = rng.standard_normal((total, 4, size // 8, size // 8), np.float32)
    np.save(folder / "codes.npy", codes)
    np.save(folder / "latents.npy", values.astype(np.float16))
    frames = np.zeros((total, 8, 8), np.uint8)  # a denoiser reads none
    starts = list(range(0, total, length))
    videos = [Heart(f"v{at}", frames[at : at + length], 0, length // 4) for at in starts]
    data = Prepared(folder, videos, starts, 1, TrainingVideos((), ()), [])
    latents = Latents(data, folder / "latents.npy")
    return Windows(data, latents, folder / "codes.npy", frames=preset.frames, kind=preset.code)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What of a step is counted.

    Attributes:
        operations: floating-point, forward and backward.
        calls: of the device by the moving average of the weights.
    """

    operations: float
    calls: int


class Calls(TorchDispatchMode):
    """Counts the operators that are called, each at least one launch on a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def count(step: Step) -> Counted:
    """Count a step without doing it: on tensors that have shapes and no numbers."""
    network, loss_fn, drawn = step
    ema = EMAModel(network.parameters(), decay=0.999, foreach=True)
    with Calls() as calls:
        ema.step(network.parameters())
    meta = torch.device("meta")
    with ready(iter([drawn]), meta) as batches:
        batch = next(batches)
    with FlopCounterMode(display=False) as flops:
        loss_fn(copy.deepcopy(network).to(meta).train(), batch)["loss"].backward()
    return Counted(operations=float(flops.get_total_flops()), calls=calls.count)


def step_of(windows: Windows, nets: Networks, preset: PresetSettings) -> Step:
    """Return network, loss and a batch of the denoiser's training."""
    assert nets.transport is not None, "load_preset has seen to it"
    diffusion: Diffusion = LatentDiffusion()
    if isinstance(nets.denoiser, ResidualDenoiser):
        on_meta = copy.deepcopy(nets.transport).to("meta").requires_grad_(False)
        diffusion = ResidualDiffusion(on_meta, 1.0, (1.0,) * 4)
    return nets.denoiser, denoising_loss(diffusion), windows.draw(np.random.default_rng(0), preset.denoiser.batch)


def training_table(folder: Path, settings: TrainingSettings) -> Table:
    """Time what the host does for a step of the preset's denoiser, and count what the device does.

    Args:
        folder: for the made-up videos; removed by the caller.
        settings: of the table.
    """
    preset = load_preset(settings.preset)
    windows, batch = made_up(folder, preset), preset.denoiser.batch
    with torch.random.fork_rng([]):
        nets = build_networks(preset)
    drawing = core_seconds(lambda turn: windows.draw(np.random.default_rng(turn), batch), settings.rounds)
    teraflops = float(settings.teraflops)
    rows = rows_of("denoiser", drawing, count(step_of(windows, nets, preset)), teraflops)
    how = HOW.format(preset=preset.name, batches=batch, videos=VIDEOS, teraflops=number(teraflops))
    return Table(name="training", title="the host's part of a training step", how=how, rows=rows)


def core_seconds(work: Contender, rounds: int) -> Seconds:
    """Return the processor's time for some work ``(rounds,)``, which other processes hardly change; once before."""
    found = np.empty(rounds)
    for turn in range(-1, rounds):
        began = time.process_time()
        work(turn + 1)
        if turn >= 0:
            found[turn] = time.process_time() - began
    return found


def rows_of(name: str, drawing: Seconds, counted: Counted, teraflops: float) -> Sequence[Row]:
    """Return the rows of a stage.

    Args:
        name: of the stage.
        drawing: seconds to draw a batch, ``(rounds,)``.
        counted: of a step.
        teraflops: operations that the device does in a second, in 10^12.
    """
    arithmetic = counted.operations / teraflops * 1e-12
    share = arithmetic / np.maximum(drawing, arithmetic)
    serial = float(np.median(arithmetic / (drawing + arithmetic)))
    return (
        Row(what=f"{name}: host, a step", found=Spread.of(drawing * 1e3), unit="ms", target=HOST, at_least=False),
        Row(
            what=f"{name}: calls of the moving average",
            found=Spread.exact(counted.calls),
            unit="calls",
            target=CALLS,
            at_least=False,
        ),
        Row(
            what=f"{name}: arithmetic of a step",
            found=Spread.exact(arithmetic * 1e3),
            unit="ms",
            detail=f"{counted.operations * 1e-12:.2f} TFLOP",
        ),
        Row(
            what=f"{name}: share of the card that the host allows",
            found=Spread.of(100 * share),
            unit="%",
            detail=f"{100 * serial:.0f} % without drawing ahead",
        ),
    )
