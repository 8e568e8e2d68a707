"""Finding the dataset that really makes an item under Subset, ConcatDataset and wrappers."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import ConcatDataset, Subset


def locate(dataset: Any, index: int) -> tuple[Any, int]:
    """The innermost dataset behind ``dataset[index]`` and the index there.

    Goes through ``Subset``, ``ConcatDataset`` and wrappers that keep the length and hold the wrapped dataset as
    ``base`` (as `ClassicalAugment` does).
    """
    while True:
        if isinstance(dataset, Subset):
            dataset, index = dataset.dataset, int(dataset.indices[index])
        elif isinstance(dataset, ConcatDataset):
            position = next(place for place, end in enumerate(dataset.cumulative_sizes) if index < end)
            index -= dataset.cumulative_sizes[position - 1] if position else 0
            dataset = dataset.datasets[position]
        elif hasattr(dataset, "base"):
            if hasattr(dataset, "base_index"):
                index = dataset.base_index(index)
            dataset = dataset.base
        else:
            return dataset, index


def leaves(dataset: Any) -> Iterator[Any]:
    """Every innermost dataset, each once, in order."""
    seen: set[int] = set()
    stack = [dataset]
    while stack:
        node = stack.pop(0)
        below = children(node)
        if below:
            stack = below + stack
        elif id(node) not in seen:
            seen.add(id(node))
            yield node


def children(dataset: Any) -> list[Any]:
    """The datasets directly wrapped by ``dataset``."""
    if isinstance(dataset, Subset):
        return [dataset.dataset]
    if isinstance(dataset, ConcatDataset):
        return list(dataset.datasets)
    return [dataset.base] if hasattr(dataset, "base") else []


def pass_epoch(dataset: Any, epoch: int) -> None:
    """Call ``set_epoch`` on the outermost datasets that have it; those pass it on themselves."""
    if hasattr(dataset, "set_epoch"):
        dataset.set_epoch(epoch)
        return
    for child in children(dataset):
        pass_epoch(child, epoch)
