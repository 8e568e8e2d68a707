"""The parts of an EF training: batches as a function of the step, predictions, grey-value scale, precision."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader

from echo_augment.augmentor.data import EchoNetDynamic, VideoInfo, probe_video
from echo_augment.augmentor.wrapping import pass_epoch
from echo_augment.cache.errors import EchoAugmentError

from .decoded import DecodedEcho
from .fit import Batches

Array = npt.NDArray[np.float64]


def train_batches(dataset: Any, batch_size: int, seed: int, workers: int) -> Batches:
    """Batches as a pure function of the step: each epoch is a permutation drawn from ``(seed, epoch)``."""
    per_epoch = len(dataset) // batch_size

    def batches(start: int) -> Iterator[Any]:
        epoch, skip = divmod(start, per_epoch)
        while True:
            pass_epoch(dataset, epoch)
            order = np.random.default_rng([seed, epoch]).permutation(len(dataset))[: per_epoch * batch_size]
            chosen = order.reshape(per_epoch, batch_size)[skip:].tolist()
            yield from DataLoader(dataset, batch_sampler=chosen, num_workers=min(workers, len(chosen)))
            epoch, skip = epoch + 1, 0

    return batches


def predict(
    model: nn.Module, data: DecodedEcho, items: Sequence[int], most: int | None, device: torch.device, bf16: bool
) -> Array:
    """EF in percent of some videos ``(len(items),)``: the mean over their clips, as echonet tests."""
    model.eval()
    found = []
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for item in items:
            clips = torch.from_numpy(data.windows(item, most)).split(20)
            parts = [model(part.to(device)).float().cpu() for part in clips]
            found.append(float(torch.cat(parts).mean()))
    return np.array(found)


def true_ef(data: DecodedEcho, items: Sequence[int]) -> Array:
    """EF labels in percent, ``(len(items),)``."""
    return np.array([data.rows[item].ef for item in items])


def r2(true: Array, predicted: Array) -> float:
    """Coefficient of determination; NaN for fewer than two different true values."""
    spread = float(np.square(true - true.mean()).sum())
    return 1 - float(np.square(predicted - true).sum()) / spread if spread > 0 else math.nan


def channel_scale(root: str, *, samples: int, length: int, period: int) -> dict[str, list[float]]:
    """``mean`` and ``std`` of the grey values 0-255 per channel, from some TRAIN clips; labels are not used."""
    data = DecodedEcho(root, "train", [], length=length, period=period, require_tracings=False, on_error="skip")
    order = np.random.default_rng(0).permutation(len(data))[:samples]
    clips = [data[int(index)][0].astype(np.float64) for index in order]
    mean = np.mean([clip.mean((1, 2, 3)) for clip in clips], 0)
    square = np.mean([np.square(clip).mean((1, 2, 3)) for clip in clips], 0)
    return {"mean": mean.tolist(), "std": np.sqrt(np.maximum(square - mean**2, 1e-6)).tolist()}


def video_facts(rows: Sequence[VideoInfo]) -> dict[str, Any]:
    """``fps`` (the median) and ``size`` ``[H, W]`` (of the first) of some videos: the scale a model learns in."""
    first = probe_video(rows[0].path)
    rates = [row.fps for row in rows if row.fps > 0]
    return {"fps": float(np.median(rates)) if rates else first.fps, "size": [first.height, first.width]}


def usable_hearts(root: str | Path, split: str) -> dict[str, float]:
    """EF in percent by name of the hearts of a split that can be read and have a label."""
    data = EchoNetDynamic(root, split, "EF", require_tracings=False, on_error="skip")
    return {row.name: row.ef for row in data.rows}


def make_accelerator(device: str) -> Accelerator:
    """Accelerate's choice of device; ``device="cpu"`` keeps it off a GPU."""
    return Accelerator(cpu=device == "cpu")


def use_bf16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16; ``auto`` only where the hardware does it natively.

    Raises:
        EchoAugmentError: ``precision`` is none of auto, bf16, fp32.
    """
    if precision not in ("auto", "bf16", "fp32"):
        raise EchoAugmentError(f"trainer.precision must be auto, bf16 or fp32, got {precision!r}")
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Private, but the only way to ask; a torch without it computes in fp32.
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and native is not None and bool(native())


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Compute with ``count`` CPU threads; None leaves torch's choice."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
