"""Which hearts have labels in a label-scarce run: pure functions of the seed, nested over the number of labels."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from echo_augment.cache.errors import EchoAugmentError

LABELS, VALIDATION = 101, 102  # tags that keep the random streams apart


def count_labels(labels: int | float | str, hearts: int) -> int:
    """How many of ``hearts`` TRAIN hearts have labels.

    Args:
        labels: a number of hearts, a share below 1 (0.125), a fraction (``"1/8"``) or ``"all"``.
        hearts: in TRAIN.

    Raises:
        EchoAugmentError: it is none of these, or more than there are.
    """
    if labels == "all":
        return hearts
    try:
        value = Fraction(str(labels))
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    count = max(1, round(value * hearts)) if 0 < value < 1 else int(value)
    if value <= 0 or (value >= 1 and value.denominator != 1):
        raise EchoAugmentError(f"labels must be a number of hearts, a share or 'all', got {labels!r}")
    if count > hearts:
        raise EchoAugmentError(f"labels={labels} asks for {count} labelled hearts, TRAIN has {hearts}")
    return count


def choose_labelled(names: Sequence[str], count: int, seed: int) -> list[str]:
    """The ``count`` labelled hearts of a seed; a larger count keeps those of a smaller one.

    Args:
        names: of all TRAIN hearts; their order does not matter.
        count: of labelled hearts.
        seed: of the draw, at least 0.
    """
    ordered = sorted(names)
    order = np.random.default_rng([LABELS, seed]).permutation(len(ordered))
    return [ordered[place] for place in order[:count]]


def choose_validation(names: Sequence[str], share: float, at_least: int, seed: int) -> list[str]:
    """The VAL hearts that a run may select its weights by: in proportion to its labels, but not too few.

    Args:
        names: of all VAL hearts.
        share: of TRAIN that has labels, in (0, 1].
        at_least: hearts, where VAL has as many.
        seed: of the draw.
    """
    ordered = sorted(names)
    count = min(len(ordered), max(at_least, round(share * len(ordered))))
    order = np.random.default_rng([VALIDATION, seed]).permutation(len(ordered))
    return [ordered[place] for place in order[:count]]
