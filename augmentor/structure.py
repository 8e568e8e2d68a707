"""The form of a sample, so that a synthetic one can be held against a real one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def difference(real: Any, synthetic: Any, *, shapes: bool = True, where: str = "sample") -> str | None:
    """The first place where two samples differ in type, dtype or shape, in words; None where they agree.

    Args:
        real: what the wrapped dataset gave.
        synthetic: what the adapter made.
        shapes: compare every dimension; otherwise their number only.
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
