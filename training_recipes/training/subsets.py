"""Which videos have labels in a label-scarce run: pure functions of the seed, nested over the number of labels."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from echo_augment.cache.errors import EchoAugmentError

LABELS, VALIDATION = 101, 102  # tags that keep the random streams apart


def check_labels(labels: int | float | str) -> None:
    """Raise if ``labels`` is neither a number of videos, nor a share of them, nor ``"all"``.

    Raises:
        EchoAugmentError: with the value; also for 1.0, 1/1 and the like, which could mean one video or all.
    """
    if labels == "all":
        return
    try:
        value = Fraction(-1) if isinstance(labels, bool) else Fraction(str(labels))
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    no_share = value.denominator != 1 or (value > 1 and "/" in str(labels))
    if value <= 0 or (value >= 1 and no_share):
        raise EchoAugmentError(f"labels must be a number of videos, a share or 'all', got {labels!r}")
    if value == 1 and str(labels) != "1":
        raise EchoAugmentError(
            f"labels={labels} could mean one video or all", "Give labels=1 for one, labels=all for all"
        )


def count_labels(labels: int | float | str, videos: int) -> int:
    """Return how many of the TRAIN videos have labels.

    Args:
        labels: a number of videos, a share below 1 (0.125), a fraction (``"1/8"``) or ``"all"``; 1.0 is refused, which
            could mean one or all.
        videos: number of TRAIN videos.

    Raises:
        EchoAugmentError: it is none of these, or more than there are.

    >>> count_labels(16, 400), count_labels("1/8", 400), count_labels("all", 400)
    (16, 50, 400)
    """
    check_labels(labels)
    if labels == "all":
        return videos
    value = Fraction(str(labels))
    count = max(1, round(value * videos)) if value < 1 else int(value)
    if count > videos:
        raise EchoAugmentError(f"labels={labels} asks for {count} labelled videos, TRAIN has {videos}")
    return count


def choose_labelled(names: Sequence[str], count: int, seed: int) -> list[str]:
    """Return the names of the labelled videos of a seed; a larger count keeps those of a smaller one.

    Args:
        names: names of all TRAIN videos; their order does not matter.
        count: number of labelled videos.
        seed: seed of the draw, at least 0.

    >>> names = [f"0X{number}" for number in range(9)]
    >>> few, more = choose_labelled(names, 2, seed=0), choose_labelled(names, 4, seed=0)
    >>> more[:2] == few
    True
    """
    ordered = sorted(names)
    order = np.random.default_rng([LABELS, seed]).permutation(len(ordered))
    return [ordered[place] for place in order[:count]]


def choose_validation(names: Sequence[str], share: float, at_least: int, seed: int) -> list[str]:
    """Return the VAL videos that a run may select its weights by: in proportion to its labels, but not too few.

    Args:
        names: names of all VAL videos.
        share: share of TRAIN that has labels, in (0, 1].
        at_least: least number of videos, if VAL has as many.
        seed: seed of the draw.
    """
    ordered = sorted(names)
    count = min(len(ordered), max(at_least, round(share * len(ordered))))
    order = np.random.default_rng([VALIDATION, seed]).permutation(len(ordered))
    return [ordered[place] for place in order[:count]]
