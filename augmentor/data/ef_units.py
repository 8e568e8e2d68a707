"""The unit in which a table gives EF: percent, unless its reader is told another; what looks otherwise is refused.

Taken for percent, an EF of 0.55 trains and generates without any error, so that a column whose numbers all lie outside
what hearts do in percent has to be named.
"""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from echo_augment.cache.arguments import check_choice
from echo_augment.cache.errors import EchoAugmentError

EFUnit = Literal["percent", "fraction", "hundredths"]
FACTORS = {"percent": 1.0, "fraction": 100.0, "hundredths": 0.01}
"""What makes percent of a number: of 0.55, 55 or 5500."""

DECLARED = "ECHO_AUGMENT_EF_UNITS"  # in the environment, so that processes that this one starts agree with it


def declare_ef_unit(root: str | Path, unit: str | None) -> None:
    """Set the unit of a dataset's EF for every reader of its folder in this process and those it starts.

    Args:
        root: folder of the dataset.
        unit: one of `FACTORS`; None changes nothing.

    Raises:
        EchoAugmentError: the unit is unknown.
    """
    if unit is not None:
        check_choice("ef_unit", unit, tuple(FACTORS))
        os.environ[DECLARED] = json.dumps({**_declared(), os.path.realpath(root): unit})


def ef_factor(root: Path, numbers: Sequence[float], unit: str | None, column: str) -> float:
    """Return what makes percent of a table's EF.

    Args:
        root: folder of the dataset.
        numbers: all EF of the table as it gives them; NaN for none.
        unit: unit that the reader was told, or None.
        column: file and column, for the error.

    Raises:
        EchoAugmentError: no unit was told, and all of two or more numbers are at most 1, or all are above 100; or the
            unit is unknown.
    """
    unit = _declared().get(os.path.realpath(root)) if unit is None else unit
    if unit is not None:
        check_choice("ef_unit", unit, tuple(FACTORS))
        return FACTORS[unit]
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


def _declared() -> dict[str, str]:
    units: dict[str, str] = json.loads(os.environ.get(DECLARED, "{}"))
    return units
