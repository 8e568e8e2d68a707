"""What wrappers need of the dataset inside: where an item is made, whether samples have the same form, tags."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset

from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError


def locate(dataset: Any, index: int) -> tuple[Any, int]:
    """Return the innermost dataset behind ``dataset[index]``, and the index there.

    It looks through ``Subset``, ``ConcatDataset`` and wrappers that hold the wrapped dataset as ``base`` and keep its
    length (as `ClassicalAugment` does) or have a ``base_index`` (as `SyntheticAugment` does).
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
    """Yield every innermost dataset once, in order."""
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
    """Return the datasets that ``dataset`` wraps directly."""
    if isinstance(dataset, Subset):
        return [dataset.dataset]
    if isinstance(dataset, ConcatDataset):
        return list(dataset.datasets)
    return [dataset.base] if hasattr(dataset, "base") else []


def pass_epoch(dataset: Any, epoch: int) -> None:
    """Call ``set_epoch`` of the outermost datasets that have one; they pass it on themselves."""
    if hasattr(dataset, "set_epoch"):
        dataset.set_epoch(epoch)
        return
    for child in children(dataset):
        pass_epoch(child, epoch)


def difference(real: Any, synthetic: Any, *, shapes: bool = True, where: str = "sample") -> str | None:
    """Return in words the first place where two samples differ in type, dtype or shape; None if they agree.

    Args:
        real: sample of the wrapped dataset.
        synthetic: sample of the adapter.
        shapes: whether to compare all sizes, or only the number of dimensions.
        where: name of the place, for the words.
    """
    if type(real) is not type(synthetic):
        return f"{where} is {type(real).__name__} in the dataset and {type(synthetic).__name__} from the adapter"
    if isinstance(real, np.ndarray | torch.Tensor):
        if real.dtype != synthetic.dtype:
            return f"{where} is {real.dtype} in the dataset and {synthetic.dtype} from the adapter"
        if (real.shape != synthetic.shape) if shapes else (real.ndim != synthetic.ndim):
            return f"{where} is {tuple(real.shape)} in the dataset and {tuple(synthetic.shape)} from the adapter"
        return None
    if isinstance(real, Mapping):
        if list(real) != list(synthetic):
            return f"{where} has the keys {list(real)} in the dataset and {list(synthetic)} from the adapter"
        pairs = [(f"{where}[{key!r}]", real[key], synthetic[key]) for key in real]
    elif isinstance(real, tuple | list):
        if len(real) != len(synthetic):
            return f"{where} has {len(real)} parts in the dataset and {len(synthetic)} from the adapter"
        pairs = [(f"{where}[{key}]", real[key], synthetic[key]) for key in range(len(real))]
    else:
        return None
    found = (difference(one, other, shapes=shapes, where=name) for name, one, other in pairs)
    return next((words for words in found if words), None)


Origin = dict[str, bool | str | float]


def describe(clip: EchoClip | None) -> Origin:
    """Return where an item comes from, as a dict that a DataLoader can collate; ``clip`` is None for a real item."""
    source = None if clip is None else clip.provenance
    return {
        "synthetic": clip is not None,
        "clip_id": "" if clip is None else clip.clip_id,
        "motion_donor": "" if source is None else source.motion_donor,
        "appearance_donor": "" if source is None else source.appearance_donor,
        "confidence": 1.0 if clip is None else float(clip.confidence),
    }


def tagged(sample: Any, weight: np.float32 | None, provenance: Origin | None) -> Any:
    """Return ``sample`` with what is not None appended (tuple, list) or added under its name (dict).

    Raises:
        EchoAugmentError: the sample is neither tuple, list nor dict.
    """
    extra = {"weight": weight, "provenance": provenance}
    extra = {name: value for name, value in extra.items() if value is not None}
    if isinstance(sample, dict):
        return {**sample, **extra}
    if isinstance(sample, list):
        return [*sample, *extra.values()]
    if isinstance(sample, tuple):
        return (*sample, *extra.values())
    raise EchoAugmentError(
        f"a sample of type {type(sample).__name__} cannot carry {' and '.join(extra)}",
        "Use weights=False and provenance=False, or let the dataset give tuples or dicts",
    )
