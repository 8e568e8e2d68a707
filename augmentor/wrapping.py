"""What wrappers need of the dataset inside: where an item is made, whether samples have the same form, tags."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import ConcatDataset, Dataset, Subset

from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError


@dataclass(frozen=True, slots=True)
class Reached:
    """Items of an innermost dataset that a wrapper serves.

    Attributes:
        leaf: the innermost dataset.
        places: numbers of the items in it, ``(N,)``.
        outer: their numbers in the outermost dataset, ``(N,)``; -1 where that is not known.
    """

    leaf: Any
    places: npt.NDArray[np.int64]
    outer: npt.NDArray[np.int64]


def keeps_form(dataset: Any) -> bool:
    """Return whether items of a wrapper have the form of the wrapped dataset's: torch's wrappers and our own do.

    Our own carry the mark ``__getitem__.echo_samples = True``. Another wrapper may do anything to a sample.
    """
    make = getattr(type(dataset), "__getitem__", None)
    return make in (Subset.__getitem__, ConcatDataset.__getitem__) or bool(getattr(make, "echo_samples", False))


def locate(dataset: Any, index: int, *, known: bool = False) -> tuple[Any, int]:
    """Return the innermost dataset behind ``dataset[index]``, and the index there.

    It looks through ``Subset``, ``ConcatDataset`` and wrappers that hold the wrapped dataset as ``base`` or ``dataset``
    and keep its length (as `ClassicalAugment` does) or have a ``base_index`` (as `SyntheticAugment` does).

    Args:
        dataset: dataset, wrapped any number of times.
        index: number of an item.
        known: stop at a wrapper that may change samples (not `keeps_form`).
    """
    while True:
        if known and not keeps_form(dataset):
            return dataset, index
        if isinstance(dataset, Subset):
            dataset, index = dataset.dataset, int(dataset.indices[index])
        elif isinstance(dataset, ConcatDataset):
            position = next(place for place, end in enumerate(dataset.cumulative_sizes) if index < end)
            index -= dataset.cumulative_sizes[position - 1] if position else 0
            dataset = dataset.datasets[position]
        elif below := children(dataset):
            if hasattr(dataset, "base_index"):
                index = dataset.base_index(index)
            dataset = below[0]
        else:
            return dataset, index


def leaves(dataset: Any, *, known: bool = False, deep: bool = False) -> Iterator[Any]:
    """Yield every innermost dataset once, in order.

    Args:
        dataset: dataset, wrapped any number of times.
        known: go no further than wrappers that `keeps_form` knows.
        deep: look into wrappers of any other kind, too (`held_inside`).
    """
    seen: set[int] = set()
    stack = [dataset]
    while stack:
        node = stack.pop(0)
        below = children(node) if keeps_form(node) or not known else []
        below = below or (held_inside(node) if deep else [])
        if below:
            stack = below + stack
        elif id(node) not in seen:
            seen.add(id(node))
            yield node


def children(dataset: Any) -> list[Any]:
    """Return the datasets that ``dataset`` wraps directly."""
    base = getattr(dataset, "base", None)
    if hasattr(base, "__getitem__") and not isinstance(base, str | bytes):
        return [base]
    if isinstance(getattr(dataset, "dataset", None), Dataset):
        return [dataset.dataset]
    several = getattr(dataset, "datasets", ())  # of ConcatDataset, StackDataset and their like
    several = several.values() if isinstance(several, Mapping) else several
    return [one for one in several if isinstance(one, Dataset)] if isinstance(several, Iterable) else []


def held_inside(dataset: Any) -> list[Any]:
    """Return the one dataset that an unknown wrapper holds, whatever the attribute is called; else nothing.

    One that holds this one in its turn is a companion (``train.val`` and ``val.train``), and nothing that is wrapped.
    """
    found = held_by(dataset)
    wrapped = len(found) == 1 and all(other is not dataset for other in held_by(found[0]))
    return found if wrapped else []


def held_by(dataset: Any) -> list[Any]:
    """Return the datasets among the attributes of one, alone or in lists, tuples and mappings, each once."""
    held = [value for value in getattr(dataset, "__dict__", {}).values() if value is not None]
    several = [part for value in held if isinstance(value, list | tuple) for part in value]
    several += [part for value in held if isinstance(value, Mapping) for part in value.values()]
    found = {id(one): one for one in [*held, *several] if isinstance(one, Dataset) and one is not dataset}
    return list(found.values())


Numbers = npt.NDArray[np.int64]


def reached(dataset: Any, inner: Numbers | None = None, outer: Numbers | None = None) -> Iterator[Reached]:
    """Yield every innermost dataset with the items of it that ``dataset`` may serve; for the leak guard.

    It looks through every wrapper that it can. A wrapper of another length than the dataset inside, without a
    ``base_index``, may serve any item of it.

    Args:
        dataset: dataset, wrapped any number of times.
        inner: items of it; None is all.
        outer: numbers under which the outermost dataset serves them; None is the same.
    """
    count = len(dataset) if hasattr(dataset, "__len__") else -1
    inner = np.arange(max(count, 0)) if inner is None else inner
    outer = inner if outer is None else outer
    below = children(dataset) or held_inside(dataset)
    if not below:
        yield Reached(dataset, inner, outer)
    elif isinstance(dataset, Subset):
        yield from reached(below[0], np.asarray(dataset.indices, np.int64)[inner], outer)
    elif isinstance(dataset, ConcatDataset):
        start = 0
        for child, end in zip(below, dataset.cumulative_sizes, strict=True):
            here = (start <= inner) & (inner < end)
            yield from reached(child, inner[here] - start, outer[here])
            start = end
    elif hasattr(dataset, "base_index"):
        yield from reached(below[0], np.array([dataset.base_index(int(one)) for one in inner], np.int64), outer)
    else:
        for child in below:
            same = hasattr(child, "__len__") and len(child) == count
            yield from reached(child, inner, outer) if same else reached(child, outer=np.full(len(child), -1))


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
