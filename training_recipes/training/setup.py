"""What a training sets up first: device, precision, threads, and a model whose start weights follow from a seed."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs
from torch import nn

from echo_augment.cache.arguments import check_choice
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from ..common.parts import Crew
from ..common.ranks import Share, best_device
from .settings import PRECISIONS

PATIENCE = timedelta(days=7)  # NCCL's own 10 minutes end a training whose first process writes latents meanwhile
SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # by which accelerate knows a launch


def make_seeded(
    kinds: Mapping[str, Callable[..., nn.Module]], what: str, name: str, settings: Mapping[str, JsonValue], seed: int
) -> nn.Module:
    """Return a model whose start weights are a pure function of ``seed``; no global state moves.

    Args:
        kinds: models by name.
        what: what they are, for the error: ``EF``, ``segmentation``.
        name: name of the model.
        settings: keyword arguments of the model.
        seed: seed of the weights.

    Raises:
        EchoAugmentError: there is no such model.
    """
    if name not in kinds:
        raise EchoAugmentError(f"there is no {what} model {name!r}", f"There are: {', '.join(kinds)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kinds[name](**settings)


def make_accelerator(device: str, *, together: bool = False, **settings: Any) -> Accelerator:
    """Return an accelerator on the device that is asked for.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        together: whether the processes of an ``accelerate launch`` train one network together; otherwise each trains
            for itself. They wait for each other for as long as it takes: some work is the first one's alone.
        settings: further arguments of ``Accelerator``.

    Raises:
        EchoAugmentError: one numbered device for several processes, or another than this process computes on already.
    """
    several = together and any(int(os.environ.get(name) or 1) > 1 for name in SIZES)
    if several and ":" in device:
        raise EchoAugmentError(f"device={device} is one device, and several processes train together", "Leave it out")
    wanted = torch.device(best_device(device))
    if wanted.type == "cuda" and wanted.index is not None:
        torch.cuda.set_device(wanted)
    patience = InitProcessGroupKwargs(timeout=PATIENCE)
    with _without(() if several else ("RANK", "LOCAL_RANK", *SIZES)):
        accelerator = Accelerator(cpu=wanted.type == "cpu", kwargs_handlers=[patience], **settings)
    if accelerator.device.type != wanted.type:
        raise EchoAugmentError(
            f"device={device}, but this process computes on {accelerator.device.type} already",
            "Ask for one device in all that a process does",
        )
    return accelerator


@contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    """Hide variables of the environment."""
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def share_of(accelerator: Accelerator) -> Share:
    """Return which items of a batch this process takes."""
    return Share(accelerator.process_index, accelerator.num_processes)


def crew_of(accelerator: Accelerator) -> Crew:
    """Return this process among those that make files together."""
    return Crew(share_of(accelerator), accelerator.wait_for_everyone)


def use_bf16(precision: str, device: torch.device) -> bool:
    """Return whether to compute in bfloat16; ``auto`` does if the hardware computes it natively.

    Raises:
        EchoAugmentError: ``precision`` is none of auto, bf16, fp32.
    """
    check_choice("trainer.precision", precision, PRECISIONS)
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Private, but the only way to ask; a torch without it computes in fp32.
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and native is not None and bool(native())


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What a training computed with; two machines that differ in it may end in different figures.

    Attributes:
        precision: ``bf16`` or ``fp32``, as used.
        device: ``cpu``, ``cuda`` or ``mps``.
        kernels: what the CPU's kernels are compiled for (``AVX512``, ``AVX2``, ``DEFAULT``), or the GPU's name.
    """

    precision: str
    device: str
    kernels: str

    def __str__(self) -> str:
        return f"{self.precision} on {self.device} ({self.kernels})"


def arithmetic(precision: str, device: torch.device) -> Arithmetic:
    """Return what a training computes with on a device.

    Args:
        precision: as configured: ``auto``, ``bf16`` or ``fp32``.
        device: of the training.
    """
    used = "bf16" if use_bf16(precision, device) else "fp32"
    capability = str(torch.backends.cpu.get_cpu_capability())
    kernels = {"cpu": capability, "cuda": torch.cuda.get_device_name(device) if device.type == "cuda" else ""}
    return Arithmetic(used, device.type, kernels.get(device.type, device.type))


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Compute with ``count`` CPU threads; None leaves torch's choice."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
