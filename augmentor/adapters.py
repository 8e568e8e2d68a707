"""Which adapter makes the samples of which dataset."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

from .echo_adapter import EchoAdapter, column, is_echo_like, number
from .sources.base import ClipSource
from .tree import leaves, locate

Adapter = Callable[[EchoClip, np.random.Generator], Any]


def adapters_for(
    base: Any, source: ClipSource, adapter: Adapter | None = None, fps: float | None = None
) -> list[tuple[Any, Adapter]]:
    """Each innermost dataset of ``base`` with its adapter; one pair with ``base`` itself where ``adapter`` is given.

    Raises:
        EchoAugmentError: a dataset that is not Echo-like and no ``adapter``; a target or clip that does not fit.
    """
    if adapter is not None:
        return [(base, adapter)]
    pairs: list[tuple[Any, Adapter]] = []
    for leaf in leaves(base):
        if not is_echo_like(leaf):
            raise EchoAugmentError(
                f"SyntheticAugment does not know what a sample of {type(leaf).__name__} looks like",
                "Give it adapter=, a callable (clip, rng) -> sample; see help(SyntheticAugment) for one",
            )
        echo = EchoAdapter.of(leaf, fps=fps)
        echo.check(source)
        pairs.append((leaf, echo))
    return pairs


def base_ef(base: Any, given: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
    """EF in percent of every item of ``base``, ``(N,)``: ``given``, or the ``EF`` column of the datasets below.

    Raises:
        EchoAugmentError: neither is there, or ``given`` has another length.
    """
    if given is not None:
        values = np.asarray(given, np.float64)
        if values.shape != (len(base),):
            raise EchoAugmentError(f"ef must have one value per item, ({len(base)},), got {values.shape}")
        return values
    columns = {id(leaf): column(leaf, "EF") for leaf in leaves(base)}
    if not all(columns.values()):
        raise EchoAugmentError("EF bins need the EF of every item of the dataset", "Give ef=[...], one value per item")
    places = (locate(base, index) for index in range(len(base)))
    return np.array([number(columns[id(leaf)][place]) for leaf, place in places], np.float64)
