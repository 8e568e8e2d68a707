"""A GPU that is not there: tensors with the shapes, formats and device of its results, and no numbers.

PyTorch's fake tensors refuse what a GPU refuses (tensors of two devices, formats that do not fit) and take no memory.
What they cannot do here is a backward pass, for which autograd wants a real device.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from echo_augment.training_recipes.generator.mafe import WithHead
from echo_augment.training_recipes.generator.networks import build_networks
from echo_augment.training_recipes.generator.preset import PresetSettings

GPU = "cuda:0"


@contextmanager
def mixed(bf16: bool) -> Iterator[None]:
    """Mixed precision on the GPU, for tensors that are fake already."""
    torch.set_autocast_enabled("cuda", bf16)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.clear_autocast_cache()


@contextmanager
def fake_gpu(bf16: bool = False) -> Iterator[torch.device]:
    """Make every new tensor a fake one; with ``bf16`` under autocast, as mixed precision has it."""
    with FakeTensorMode(), mixed(bf16):
        yield torch.device(GPU)


def onto(module: nn.Module) -> nn.Module:
    """Put a module on the GPU, among fake tensors, which ``Module.to`` cannot move."""

    def there(value: Tensor) -> Tensor:
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=GPU)

    for part in module.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                part._parameters[name] = nn.Parameter(there(weight), weight.requires_grad)
        for name, value in part._buffers.items():
            if value is not None:
                part._buffers[name] = there(value)
    return module


class Built:
    """A preset's networks on the GPU; use them within ``mode``."""

    def __init__(self, preset: PresetSettings) -> None:
        self.preset, self.mode = preset, FakeTensorMode()
        with torch.random.fork_rng([]):
            self.nets = build_networks(preset)
        with self.mode:
            for name in self.nets.__slots__:
                if (net := getattr(self.nets, name)) is not None:
                    onto(net)


def grey(built: Built, *lead: int) -> torch.Tensor:
    return torch.zeros(*lead, built.preset.size, built.preset.size, dtype=torch.uint8, device=GPU)


def pairs(built: Built, count: int) -> tuple[nn.Module, dict[str, Tensor]]:
    """MAFE as it is trained, and a batch of pairs for it."""
    preset = built.preset
    ends = preset.mafe.losses.flow_target == "ends"
    flow = (4, preset.size, preset.size) if ends else (2, preset.size // 4, preset.size // 4)
    batch = {
        "frames": grey(built, count, 3),
        "flow": torch.randn(count, *flow, device=GPU),
        "embedding": torch.randn(count, 2, preset.reid.embedding, device=GPU),
    }
    return onto(WithHead(built.nets.mafe, preset.reid.embedding)), batch
