"""The share of synthetic items: a number, a schedule over epochs, or one number per EF bin."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError

Bins = Mapping[tuple[float, float], float]
Share = float | Sequence[float] | Callable[[int], float] | Bins


def check_share(value: Any, name: str = "p") -> float:
    """``value`` as a share in [0, 1].

    Raises:
        EchoAugmentError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise EchoAugmentError(f"{name} must be in [0, 1], got {value!r}")
    return float(value)


def share_at(p: Share, epoch: int) -> dict[tuple[float, float], float]:
    """The share of synthetic items per EF bin at ``epoch``; the single bin ``(-inf, inf)`` where ``p`` has no bins.

    Args:
        p: a number; a sequence with one number per epoch, whose last one holds on; a callable ``epoch -> number``;
            or a mapping ``(low, high) -> number`` of EF bins in percent, ``low <= EF < high`` (100 belongs to a bin
            that ends at 100).
        epoch: at least 0.

    Raises:
        EchoAugmentError: a share outside [0, 1], an empty schedule, or bins that are empty or overlap.
    """
    everything = (-np.inf, np.inf)
    if isinstance(p, Mapping):
        return check_bins(p)
    if callable(p):
        return {everything: check_share(p(epoch), f"p({epoch})")}
    if isinstance(p, Sequence | np.ndarray) and not isinstance(p, str):
        if len(p) == 0:
            raise EchoAugmentError("the schedule p is empty", "Give at least one number, for instance p=[0.0, 0.5]")
        last = min(epoch, len(p) - 1)
        return {everything: check_share(p[last], f"p[{last}]")}
    return {everything: check_share(p)}


def check_bins(p: Bins) -> dict[tuple[float, float], float]:
    """``p`` with its bins in order.

    Raises:
        EchoAugmentError: no bin, a key that is no ``(low, high)`` with ``low < high``, an overlap, a share outside
            [0, 1].
    """
    for key in p:
        if not (isinstance(key, tuple) and len(key) == 2 and key[0] < key[1]):
            raise EchoAugmentError(f"an EF bin of p must be (low, high) with low < high, got {key!r}")
    bins = {(float(key[0]), float(key[1])): check_share(p[key], f"p[{key}]") for key in sorted(p)}
    if not bins:
        raise EchoAugmentError("p has no EF bin", "Give for instance p={(0, 40): 0.7, (40, 100): 0.3}")
    keys = list(bins)
    for before, after in pairwise(keys):
        if after[0] < before[1]:
            raise EchoAugmentError(f"the EF bins {before} and {after} of p overlap")
    return bins


def members(ef: npt.NDArray[np.float64], bins: Sequence[tuple[float, float]]) -> list[npt.NDArray[np.int64]]:
    """For each bin the positions in ``ef`` (percent) that fall into it."""
    result = []
    for low, high in bins:
        inside = (ef >= low) & ((ef < high) | ((ef == 100) & (high == 100)))
        result.append(np.flatnonzero(inside if np.isfinite([low, high]).any() else np.ones(len(ef), bool)))
    return result
