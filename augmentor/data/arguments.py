"""Range checks of the reader's arguments; every complaint states the value."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError

Scale = float | Sequence[float] | npt.NDArray[Any]


def check_whole(name: str, value: Any, low: int, *, optional: bool = False) -> None:
    """Refuse ``value`` unless it is a whole number of at least ``low``, or None where that is allowed."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise EchoAugmentError(f"{name} must be a whole number of at least {low}, got {value!r}")


def check_scale(name: str, value: Scale, *, divides: bool = False) -> None:
    """Refuse ``value`` unless it is one finite number or three, not 0 where it divides."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EchoAugmentError(f"{name} must be one number or three, got {value!r}") from error
    if numbers.size not in (1, 3) or not np.isfinite(numbers).all() or (divides and (numbers == 0).any()):
        raise EchoAugmentError(
            f"{name} must be one number or three, finite{' and not 0' if divides else ''}, got {value!r}"
        )


def check_share(name: str, value: float | None) -> None:
    """Refuse ``value`` unless it is None or in [0, 1]."""
    if value is not None and not 0 <= value <= 1:
        raise EchoAugmentError(f"{name} must be in [0, 1], got {value}")
