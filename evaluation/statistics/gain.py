"""How much of the oracle's gain an arm brings, with an interval."""

from collections.abc import Mapping
from typing import Any

from scipy import optimize, stats

from .intervals import MIN_HEARTS, crossed_error
from .metrics import Array


def recovered(
    tables: Mapping[str, Array], arm: str, base: str, *, smaller_is_better: bool = True, level: float = 0.95
) -> dict[str, Any] | None:
    """``(base - arm) / (base - oracle)`` of a mean, paired by heart and seed, with Fieller's interval.

    The interval holds every share g for which ``(base - arm) - g * (base - oracle)`` may be zero, by the same two-way
    error over seeds and hearts as all other intervals (Fieller, "Some problems in interval estimation", J. R. Stat.
    Soc. B 1954). Where it is not sure that the oracle gains anything, neither is a share of it: there is no interval.

    Args:
        tables: by arm ``(S, H)``, what each seed and heart add to the mean, for instance absolute errors.
        arm: in question.
        base: the arm that both gains are over, for instance ``real``.
        smaller_is_better: of the figure.
        level: of the interval.

    Returns:
        ``gain``, ``ci``, and ``reason`` where that is None; None without these arms or a gain of the oracle.
    """
    if not {arm, base, "oracle"} <= set(tables):
        return None
    sign = 1.0 if smaller_is_better else -1.0
    brought, whole = sign * (tables[base] - tables[arm]), sign * (tables[base] - tables["oracle"])
    if whole.mean() <= 0:
        return None
    gain = float(brought.mean() / whole.mean())
    if whole.shape[1] < MIN_HEARTS:
        return {"gain": gain, "ci": None, "reason": f"an interval needs at least {MIN_HEARTS} test hearts"}

    def refused(table: Array) -> float:
        """Above zero where the mean of the table is not zero."""
        error, df = crossed_error(table)
        return float(abs(table.mean()) - stats.t.isf((1 - level) / 2, df) * error)

    if refused(whole) <= 0:
        return {"gain": gain, "ci": None, "reason": "it is not sure that the oracle itself gains anything"}
    if refused(brought - gain * whole) >= 0:  # every heart and seed says the same
        return {"gain": gain, "ci": (gain, gain)}

    def end(side: float) -> float:
        far = side
        while refused(brought - (gain + far) * whole) <= 0:
            far *= 2
        return float(optimize.brentq(lambda share: refused(brought - share * whole), gain, gain + far))

    return {"gain": gain, "ci": (end(-1.0), end(1.0))}
