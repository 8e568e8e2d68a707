"""What a training sets up first: device, precision, threads, and a model whose start weights follow from a seed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import nn

from echo_augment.cache.arguments import check_choice
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from .settings import PRECISIONS


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


def make_accelerator(device: str) -> Accelerator:
    """Return an accelerator on the device of its choice; ``device="cpu"`` keeps it off a GPU."""
    return Accelerator(cpu=device == "cpu")


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
