"""Several tests of one question: Holm's correction."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected so that the chance of any false alarm among them stays at the level.

    Holm, "A simple sequentially rejective multiple test procedure" (1979): the smallest of m is multiplied by m, the
    next by m - 1, .., and none is smaller than the one before.

    Args:
        p: in [0, 1], in any order.

    Returns:
        In the order of ``p``.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected.tolist()


def correct(levels: Sequence[Mapping[str, Any]]) -> None:
    """Add ``p_holm`` to every contrast, corrected over the numbers of labels, and ``tests``: over how many.

    Args:
        levels: what `echo_augment.evaluation.summary.summarise` found for each number of labels; changed in place. They
            need not have the same arms.
    """
    for pair in dict.fromkeys(pair for level in levels for pair in level["contrasts"]):
        there = [level["contrasts"][pair] for level in levels if pair in level["contrasts"]]
        for metric in there[0]:
            cells = [contrast[metric] for contrast in there]
            tested = [cell for cell in cells if cell["p"] is not None]
            for cell, p in zip(tested, holm([cell["p"] for cell in tested]), strict=True):
                cell.update(p_holm=p, tests=len(tested))
