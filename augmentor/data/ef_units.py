"""The unit in which a table gives EF: percent, unless its reader is told another; what looks otherwise is refused.

Taken for percent, an EF of 0.55 trains and generates without any error, so that a column whose numbers all lie outside
what hearts do in percent has to be named.
"""

import math
from collections.abc import Sequence
from typing import Literal, cast

from echo_augment.cache.arguments import check_choice
from echo_augment.cache.errors import EchoAugmentError

EFUnit = Literal["percent", "fraction", "hundredths"]
FACTORS = {"percent": 1.0, "fraction": 100.0, "hundredths": 0.01}
"""What makes percent of a number: of 0.55, 55 or 5500."""


def check_unit(unit: str) -> EFUnit:
    """Return a unit of EF if it is one.

    Raises:
        EchoAugmentError: it is none of `FACTORS`.
    """
    return cast(EFUnit, check_choice("ef_unit", unit, tuple(FACTORS)))


def ef_factor(numbers: Sequence[float], unit: str | None, column: str) -> float:
    """Return what makes percent of a table's EF.

    Args:
        numbers: all EF of the table as it gives them; NaN for none.
        unit: unit that the reader was told, or None.
        column: file and column, for the error.

    Raises:
        EchoAugmentError: no unit was told, and all of two or more numbers are at most 1, or all are above 100; or the
            unit is unknown.
    """
    if unit is not None:
        return FACTORS[check_unit(unit)]
    finite = [number for number in numbers if math.isfinite(number)]
    if len(finite) < 2:
        return 1.0
    low, high = min(finite), max(finite)
    likely = "fraction" if low >= 0 and high <= 1 else "hundredths" if low > 100 and high <= 10_000 else ""
    if likely:
        raise EchoAugmentError(
            f"{column} ranges from {low:g} to {high:g}, which is not EF in percent",
            f'Give ef_unit="{likely}" (in a job data.ef_unit={likely}), or ef_unit="percent" if it is percent',
        )
    return 1.0
