"""Another heart rate: the same beats read faster or slower, which leaves the EF alone."""

from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import ConcatDataset, Subset

TEMPO = (0.9, 1.1)  # of a video's own heart rate


def item_at_tempo(dataset: Any, index: int, tempo: float) -> tuple[Any, bool]:
    """Return item ``index`` of a dataset at another tempo, and whether it could be read so.

    A faster heart needs more of the video than the item shows, so whoever reads the video has to do it: a dataset with
    a method ``at_tempo(index, tempo) -> (sample, bool)``, as `EchoNetDynamic` has. It is looked for through ``Subset``
    and ``ConcatDataset``. A class that makes its items anew (``__getitem__``) without it gives them as they are, and
    False.

    Args:
        dataset: dataset, wrapped any number of times.
        index: number of an item.
        tempo: of the video's own; 1.1 is a heart rate of 77 instead of 70.
    """
    if tempo == 1:
        return dataset[index], True
    for kind in type(dataset).__mro__:
        if "at_tempo" in vars(kind):
            made: tuple[Any, bool] = dataset.at_tempo(index, tempo)
            return made
        if kind is Subset:
            return item_at_tempo(dataset.dataset, int(dataset.indices[index]), tempo)
        if kind is ConcatDataset:
            place = int(np.searchsorted(dataset.cumulative_sizes, index, side="right"))
            before = dataset.cumulative_sizes[place - 1] if place else 0
            return item_at_tempo(dataset.datasets[place], index - before, tempo)
        if "__getitem__" in vars(kind):
            break
    return dataset[index], False


def slowed(frames: int, tempo: float, start: float) -> npt.NDArray[np.float64]:
    """Return which places of ``frames`` frames show their heart at another tempo, ``(frames,)``: at most at its own.

    Args:
        frames: that there are.
        tempo: of the heart's own; what is above 1 cannot be had from these frames alone, and is 1.
        start: share of the room that is left at which it begins, in [0, 1].
    """
    step = min(1.0, tempo)
    return np.asarray(start * (1 - step) * (frames - 1) + step * np.arange(frames), np.float64)
