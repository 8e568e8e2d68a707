"""The EF that a net reads from whole videos, as echonet tests: the mean over a clip at every start frame.

The clips of one long video, stacked, are gigabytes (9 GB for EchoNet-Dynamic's longest, of 1,002 frames): so they come
in parts from worker processes, each frame once, and are stacked where the net computes, a batch at a time.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import IterableDataset, get_worker_info

from ..training.batches import DecodedEcho, Windows, loader_of
from .run import Array

BATCH = 20  # echonet's


class VideoParts(IterableDataset[tuple[int, Windows]]):
    """The clips of some videos in parts, each with the place of its video; workers share the videos.

    Args:
        data: the videos, made with ``clips="all"``.
        items: places of the videos in ``data``.
        most: clips of a video, at most; None for one at every start frame.
    """

    def __init__(self, data: DecodedEcho, items: Sequence[int], most: int | None) -> None:
        self.data, self.items, self.most = data, items, most

    def __iter__(self) -> Iterator[tuple[int, Windows]]:
        info = get_worker_info()
        first, every = (0, 1) if info is None else (info.id, info.num_workers)
        for place in range(first, len(self.items), every):
            for part in self.data.windows(self.items[place], self.most):
                yield place, part


def predict(
    model: nn.Module,
    data: DecodedEcho,
    items: Sequence[int],
    most: int | None,
    device: torch.device,
    bf16: bool,
    workers: int = 0,
) -> Array:
    """Return the EF in percent of some videos ``(len(items),)``: the mean over their clips.

    It is the same for any number of workers, to the last bit: a batch holds clips of one video, in their order.

    Args:
        model: normalised clips ``(B, 3, T, H, W)`` to EF ``(B,)``.
        data: the videos.
        items: places of the videos in ``data``.
        most: clips of a video, at most; None for one at every start frame.
        device: to compute on.
        bf16: compute in bfloat16.
        workers: processes that decode videos beside the computation; 0 for none.
    """
    model.eval()
    read: list[list[torch.Tensor]] = [[] for _ in items]
    parts = VideoParts(data, items, most)
    loader = loader_of(parts, min(workers, len(items)), batch_size=None, pin_memory=device.type == "cuda")
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for place, part in loader:
            there = Windows(*(tensor.to(device, non_blocking=True) for tensor in part))
            read[place] += [model(clips).float().cpu() for clips in there.clips(BATCH)]
    return np.array([float(torch.cat(parts).mean()) for parts in read])
