"""A GPU that is not there: tensors with the shapes, formats and device of its results, and no numbers.

PyTorch's fake tensors refuse what a GPU refuses (tensors of two devices, formats that do not fit, numbers that a step
would have to wait for) and take no memory. What they cannot do here is a backward pass, for which autograd wants a real
device.
"""

import gc
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any

import torch
from fakes.generator import preset
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from echo_augment.training_recipes.doctor.memory import GPU, WithoutNumbers, mixed


@cache
def on_gpu(*overrides: str) -> WithoutNumbers:
    """A preset's networks and steps on the GPU; use them within ``mode``."""
    return WithoutNumbers(preset(*overrides))


@contextmanager
def fake_gpu(bf16: bool = False) -> Iterator[torch.device]:
    """Make every new tensor a fake one; with ``bf16`` under autocast, as mixed precision has it."""
    with FakeTensorMode(), mixed("bf16" if bf16 else "no"):
        yield torch.device(GPU)


def in_child(work: Callable[[], Any]) -> Any:
    """Return what some work returns in a forked process, which ends at once.

    Where torch has no GPU to ask, fake tensors can damage the memory of the process that frees them.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    def answer() -> None:
        gc.disable()
        try:
            there.send((True, work()))
        except BaseException:
            there.send((False, traceback.format_exc()))
        there.close()
        os._exit(0)

    child = context.Process(target=answer)
    child.start()
    there.close()
    good, found = here.recv()
    child.join()
    here.close()
    assert good, found
    return found


def forked(test: Callable[..., None]) -> Callable[..., None]:
    """Let a test run `in_child`."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        in_child(lambda: test(*args, **kwargs))

    return run


class Trips(TorchFunctionMode):
    """Notes each copy between host and GPU: a step that makes one waits, for it or for all that is queued before."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            given = [one.device.type for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor) and one.dim()]
            made_of_numbers = func is torch.tensor and found.device.type == "cuda"
            if made_of_numbers or (given and {found.device.type} != set(given)):
                self.made.append(f"{getattr(func, '__name__', func)} {tuple(found.shape)}: {given} to {found.device}")
        return found
