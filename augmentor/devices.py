"""Which device a process uses, which number format is fast there, and that DataLoader workers use none."""

import os
from typing import Any

import torch

from echo_augment.cache.errors import EchoAugmentError

AUTO = "auto"
REMEDY = (
    "Keep the device in one process: LiveClips(pipeline, donors) generates in a process of its own, "
    "echo-augment fill-cache and CachedClips do it before training; or set num_workers=0"
)


def choose_device(name: str, local: int, cuda: int, mps: bool) -> str:
    """Return the device of a process: ``name``, or for ``"auto"`` the fastest; among several GPUs the process's own.

    Args:
        name: ``"auto"``, ``"cuda"`` (any GPU), or a device such as ``"cpu"`` or ``"cuda:1"``.
        local: number of this process among those of its machine.
        cuda: number of GPUs that this process sees; a scheduler may show each process its own only.
        mps: whether the machine has an Apple GPU.
    """
    if name == "cuda" or (name == AUTO and cuda):
        return f"cuda:{local % cuda}" if cuda > 1 else "cuda"
    if name == AUTO:
        return "mps" if mps else "cpu"
    return name


def best_device(name: str, local: int | None = None) -> str:
    """Return `choose_device` for this machine; ``local`` defaults to the number that torchrun or srun set."""
    if local is None:
        local = int(os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or 0)
    return choose_device(name, local, torch.cuda.device_count(), torch.backends.mps.is_available())


def wait_for(device: torch.device) -> None:
    """Wait until a device has done all that it was asked for: without, a clock tells how long the asking took."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def process_rank() -> int:
    """Return the rank of this process in a distributed run, 0 outside of one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank()
    return int(os.environ.get("RANK", "0"))


def in_worker() -> bool:
    """Return whether this process is a DataLoader worker."""
    return torch.utils.data.get_worker_info() is not None


def refuse_device_in_worker(device: str | torch.device, what: str) -> None:
    """Raise if this process is a DataLoader worker and ``device`` is not the CPU.

    A forked worker cannot use CUDA at all (pytorch#40403), and a spawned one makes a CUDA context of its own.

    Args:
        device: device to use, for instance ``"cuda:0"``.
        what: what uses it, for the message.

    Raises:
        EchoAugmentError: the process is a DataLoader worker and the device is not the CPU.
    """
    if torch.device(device).type != "cpu" and in_worker():
        raise EchoAugmentError(f"{what} touches {device} in a DataLoader worker, which cannot own a device", REMEDY)


def explain_device_error(error: RuntimeError) -> None:
    """Raise a clearer error if ``error`` comes from CUDA in a DataLoader worker.

    Raises:
        EchoAugmentError: names the cause and the remedy.
    """
    text = str(error).strip().splitlines()
    if text and "CUDA" in text[0] and in_worker():
        raise EchoAugmentError(f"CUDA was touched in a DataLoader worker ({text[0].rstrip('.')})", REMEDY) from error


def refuse_device_tensors(sample: Any) -> None:
    """Raise if a DataLoader worker made a sample with tensors on another device than the CPU.

    Raises:
        EchoAugmentError: names the device.
    """
    parts: list[Any] = [sample]
    while parts:
        part = parts.pop()
        if isinstance(part, torch.Tensor):
            refuse_device_in_worker(part.device, "a sample")
        elif isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, tuple | list):
            parts += part


def fast_dtype(device: str | torch.device) -> torch.dtype:
    """Return bfloat16 if the device has instructions for it, else float32; a T4 or V100 would only emulate them."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if kind == "cpu" and torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16
    return torch.float32
