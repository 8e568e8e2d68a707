"""How much memory a training step takes: counted on tensors that have shapes and no numbers, for any device."""

import gc
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.processes import end_with_parent

from ..generator.networks import Networks, build_networks
from ..generator.preset import PresetSettings
from .steps import Step, training_steps

GPU = "cuda:0"
GIGA = 1e9
USABLE = 0.85  # of a device's memory: the rest is for the driver and what kernels need in passing
STORED, AVERAGED = 16, 4  # bytes a weight in float32: itself, its gradient, two means of AdamW; the moving average
COUNTED = 2  # items
CHECKPOINTED = ("denoiser", "student")  # stages that can compute their activations again


def without_numbers(module: nn.Module, device: str = GPU) -> nn.Module:
    """Put a module among fake tensors of a device, in place; within a `FakeTensorMode`.

    ``Module.to`` cannot move fake tensors, and needs the device.
    """

    def there(value: Tensor) -> Tensor:
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=device)

    for part in module.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                part._parameters[name] = nn.Parameter(there(weight), weight.requires_grad)
        for name, value in part._buffers.items():
            if value is not None:
                part._buffers[name] = there(value)
    return module


class _OneKernel(torch.autograd.Function):
    """Attention as a GPU computes it: in one kernel, which keeps what goes in and out and one sum a token."""

    @staticmethod
    def forward(context: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        found = query.new_empty(*query.shape[:-1], value.shape[-1])
        sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        context.save_for_backward(query, key, value, found, sums)
        return found


class OneKernel(TorchFunctionMode):
    """Takes attention for one kernel; torch would ask the GPU which, and there is none to ask."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function."""
        if func is F.scaled_dot_product_attention:
            half = torch.is_autocast_enabled("cuda")
            kind = torch.get_autocast_dtype("cuda") if half else args[0].dtype
            return _OneKernel.apply(*(part.to(kind) for part in args[:3]))
        return func(*args, **(kwargs or {}))


@contextmanager
def mixed(precision: str) -> Iterator[None]:
    """Compute as mixed precision does on a GPU, of fake tensors: ``bf16``, ``fp16``, or ``no``."""
    torch.set_autocast_enabled("cuda", precision != "no")
    torch.set_autocast_dtype("cuda", torch.float16 if precision == "fp16" else torch.bfloat16)
    try:
        with OneKernel():
            yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.clear_autocast_cache()


class Kept:
    """The bytes that autograd keeps between forward and backward; each storage once, weights not.

    Args:
        network: that is trained.

    Attributes:
        again: bytes that the largest checkpointed block keeps when it is computed again.
    """

    def __init__(self, network: nn.Module) -> None:
        self._storages: dict[int, torch.UntypedStorage] = {}
        self._weights = {weight.untyped_storage()._cdata for weight in network.parameters()}
        self._network, self.again = network, 0

    def note(self, tensor: Tensor) -> Tensor:
        """Count a tensor, and return it."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self._weights:
            self._storages[storage._cdata] = storage  # a reference, so that no other one gets its address
        return tensor

    @property
    def bytes(self) -> int:
        """What is kept."""
        return sum(storage.nbytes() for storage in self._storages.values())

    def block(self, block: Callable[..., Any], *given: Any) -> Any:
        """Run a block as gradient checkpointing does: what goes into it is kept, what it computes is not."""
        for value in given:
            if isinstance(value, Tensor):
                self.note(value)
        inside = Kept(self._network)
        with inside.counting():
            found = block(*given)
        self.again = max(self.again, inside.bytes)
        return found

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count in this context."""
        with torch.autograd.graph.saved_tensors_hooks(self.note, lambda tensor: tensor):
            yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a stage's training takes, in bytes.

    Attributes:
        fixed: whatever the batch: weights, gradients, AdamW's means, the moving average, other networks.
        item: activations of an item of the batch.
        checkpointed: the same with gradient checkpointing; None for a stage that has none.
    """

    fixed: int
    item: int
    checkpointed: int | None = None

    def of(self, items: int, *, checkpointing: bool = False) -> int:
        """Return the bytes of a batch."""
        each = self.checkpointed if checkpointing and self.checkpointed is not None else self.item
        return self.fixed + items * each

    def most(self, memory: float, *, checkpointing: bool = False) -> int:
        """Return the largest batch that fits into so many bytes; 0 if none does."""
        each = self.checkpointed if checkpointing and self.checkpointed is not None else self.item
        return max(0, int((USABLE * memory - self.fixed) // each))


class WithoutNumbers:
    """A preset's networks and steps on a GPU that is not there; use them within ``mode``.

    Args:
        preset: the preset.
    """

    def __init__(self, preset: PresetSettings) -> None:
        self.preset, self.mode = preset, FakeTensorMode()
        with torch.device("meta"):  # fresh weights of the largest would take seconds and gigabytes
            self.nets: Networks = build_networks(preset)
        with self.mode:
            for name in self.nets.__slots__:
                if (net := getattr(self.nets, name)) is not None:
                    without_numbers(net)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Accessing the data pointer of FakeTensor")  # torch's own, to copy it
                self.steps: dict[str, Step] = training_steps(preset, self.nets, without_numbers, contested=False)

    @cache  # noqa: B019  one object a preset
    def kept(self, stage: str, items: int, precision: str, *, checkpointing: bool = False) -> int:
        """Return the bytes of activations that a step keeps at most, of so many items."""
        step = self.steps[stage]
        network, kept = step.network.train(), Kept(step.network)
        if checkpointing:
            cast(Any, network).enable_gradient_checkpointing(kept.block)
        try:
            with self.mode:
                batch = step.batch(items)
                with mixed(precision), kept.counting():
                    step.loss(network, batch)
        finally:
            if checkpointing:
                cast(Any, network).disable_gradient_checkpointing()
        return kept.bytes + kept.again

    def needs(self, stage: str, precision: str) -> Needs:
        """Return what a stage's training takes; activations grow with the batch."""
        step = self.steps[stage]
        average = AVERAGED if step.settings.ema else 0
        weights = sum(weight.numel() for weight in step.network.parameters())
        held = sum(weight.numel() for net in step.held for weight in net.parameters())
        half = 0 if precision == "no" else 2 * weights  # their copies in half precision
        counted = "denoiser" if stage == "student" else stage  # the same network; the rest has no gradient
        ways = (False, True) if stage in CHECKPOINTED else (False,)
        items = [
            max(1, (self.kept(counted, COUNTED, precision, checkpointing=again) - half) // COUNTED) for again in ways
        ]
        fixed = weights * (STORED + average) + half + 4 * held
        return Needs(fixed=fixed, item=items[0], checkpointed=items[1] if len(items) > 1 else None)


def count_needs(preset: PresetSettings, precision: str) -> dict[str, Needs]:
    """Return what each stage of a preset that trains takes, by its name.

    It is counted in a process of its own, which ends at once: where torch has no GPU to ask, tensors without numbers
    can damage the memory of the process that frees them.

    Raises:
        EchoAugmentError: that process came to grief.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_count, args=(preset, precision, there), daemon=True)
    process.start()
    there.close()
    try:
        found: dict[str, Needs] = here.recv()
    except EOFError:
        process.join()
        raise EchoAugmentError(
            f"preset {preset.name}: the process that counts its memory ended with exit code {process.exitcode}",
            "It may have said above why; 1 is an error of Python, below 0 a signal (-9: the machine's memory was full)",
        ) from None
    finally:
        process.join()
        here.close()
    return found


def _count(preset: PresetSettings, precision: str, answer: Connection) -> None:
    end_with_parent()
    gc.disable()
    counted = WithoutNumbers(preset)
    answer.send({stage: counted.needs(stage, precision) for stage in counted.steps})
    answer.close()
    os._exit(0)
