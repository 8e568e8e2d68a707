"""Checks of arguments and settings: each states the name, the value and the range, and returns the value."""

import difflib
import math
import re
from collections.abc import Collection, Sequence
from numbers import Integral, Real
from typing import SupportsFloat, SupportsIndex, TypeGuard

from .errors import EchoAugmentError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # owner/name; a relative folder of two parts, too


def nearest(word: object, words: Collection[str]) -> str | None:
    """Return the word among ``words`` that is closest to ``word``, or None if none is close."""
    found = difflib.get_close_matches(str(word), list(words), n=1, cutoff=0.6)
    return found[0] if found else None


def check_choice(name: str, value: object, choices: Sequence[str], *, remedy: str | None = None) -> str:
    """Return ``value`` if it is one of ``choices``.

    Args:
        name: name of the argument, for the message.
        value: value as given.
        choices: allowed values.
        remedy: what to do instead; by default the nearest choice, if one is near.

    Raises:
        EchoAugmentError: the value is none of the choices.
    """
    if isinstance(value, str) and value in choices:
        return value
    near = nearest(value, choices)
    hint = remedy or (f"Did you mean {near}?" if near else "")
    raise EchoAugmentError(f"{name} must be one of {', '.join(choices)}, got {value!r}", hint)


def is_whole(value: object) -> TypeGuard[SupportsIndex]:
    """Return whether ``value`` is a whole number; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[SupportsFloat]:
    """Return whether ``value`` is a finite number; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_whole(name: str, value: object, low: int = 0, high: int | None = None) -> int:
    """Return ``value`` as an int if it is a whole number from ``low`` to ``high``.

    Raises:
        EchoAugmentError: the value is no whole number, or out of range.
    """
    if is_whole(value) and low <= (number := value.__index__()) and (high is None or number <= high):
        return number
    bound = f"of at least {low}" if high is None else f"from {low} to {high}"
    raise EchoAugmentError(f"{name} must be a whole number {bound}, got {value!r}")


def check_seed(value: object, name: str = "seed") -> int:
    """Return ``value`` as an int if NumPy takes it as a seed.

    Raises:
        EchoAugmentError: the value is no whole number of at least 0.
    """
    return check_whole(name, value)


def check_number(
    name: str, value: object, low: float = -math.inf, high: float = math.inf, *, above_low: bool = False, unit: str = ""
) -> float:
    """Return ``value`` as a float if it is a finite number in ``[low, high]``.

    Args:
        name: name of the argument, for the message.
        value: value as given.
        low: smallest value allowed.
        high: largest value allowed.
        above_low: whether ``low`` itself is refused.
        unit: unit of the number, for the message: ``"EF points"``.

    Raises:
        EchoAugmentError: the value is no number, or out of range.
    """
    if is_number(value):
        number = float(value)
        if (low < number if above_low else low <= number) and number <= high:
            return number
    words = f" {unit}" if unit else ""
    if math.isinf(low) and math.isinf(high):
        raise EchoAugmentError(f"{name} must be a number{words}, got {value!r}")
    if math.isinf(high):
        raise EchoAugmentError(f"{name} must be {'above' if above_low else 'at least'} {low:g}{words}, got {value!r}")
    raise EchoAugmentError(f"{name} must be in {'(' if above_low else '['}{low:g}, {high:g}]{words}, got {value!r}")


def check_share(name: str, value: object) -> float:
    """Return ``value`` as a float if it is in [0, 1].

    Raises:
        EchoAugmentError: the value is no number in [0, 1].
    """
    return check_number(name, value, 0, 1)
