"""How much of the oracle's gain an arm brings, with an interval."""

from collections.abc import Mapping

from scipy import optimize, stats

from .intervals import MIN_VIDEOS, Groups, crossed_error, grouped
from .metrics import Array, Metric
from .results import Gain

BASES = ("real", "classical")  # arms over which the recovered gain is told


def gains(
    shares: Mapping[str, Array], metric: Metric, *, level: float = 0.95, groups: Groups = None
) -> dict[str, Gain | None]:
    """Return the share of the oracle's gain that ``synthetic`` brings, over each of `BASES`.

    Args:
        shares: by arm ``(S, H)``, what each seed and video add to the figure.
        metric: the figure.
        level: coverage of the intervals.
        groups: ``(S,)``, see `echo_augment.evaluation.statistics.intervals.estimate_arm`.
    """
    better = metric.smaller_is_better
    rows = {arm: grouped(table, groups) for arm, table in shares.items()}
    return {base: recovered(rows, "synthetic", base, smaller_is_better=better, level=level) for base in BASES}


def recovered_gain(means: Mapping[str, float], metric: Metric) -> float | None:
    """Return ``(real - synthetic) / (real - oracle)`` of a figure's means; None without these arms, or if the oracle
    gains nothing."""
    if not {"real", "synthetic", "oracle"} <= set(means):
        return None
    sign = 1.0 if metric.smaller_is_better else -1.0
    whole = sign * (means["real"] - means["oracle"])
    return sign * (means["real"] - means["synthetic"]) / whole if whole > 0 else None


def recovered(
    shares: Mapping[str, Array], arm: str, base: str, *, smaller_is_better: bool = True, level: float = 0.95
) -> Gain | None:
    """Return ``(base - arm) / (base - oracle)`` of a mean, paired by video and seed, with Fieller's interval.

    The interval holds every share g for which ``(base - arm) - g * (base - oracle)`` may be zero, by the same two-way
    error over seeds and videos as all other intervals (Fieller, "Some problems in interval estimation", J. R. Stat.
    Soc. B 1954). Where it is not sure that the oracle gains anything, neither is a share of it, and the interval is
    left out.

    Args:
        shares: by arm ``(S, H)``, what each seed and video add to the mean, for instance absolute errors.
        arm: the arm in question.
        base: the arm that both gains are over, for instance ``real``.
        smaller_is_better: whether the figure is an error.
        level: coverage of the interval.

    Returns:
        None without these arms, or if the oracle gains nothing.

    >>> import numpy as np
    >>> errors = {"real": np.full((2, 9), 8.0), "synthetic": np.full((2, 9), 6.5), "oracle": np.full((2, 9), 6.0)}
    >>> recovered(errors, "synthetic", "real")
    Gain(gain=0.75, ci=(0.75, 0.75), reason='')
    """
    if not {arm, base, "oracle"} <= set(shares):
        return None
    sign = 1.0 if smaller_is_better else -1.0
    brought, whole = sign * (shares[base] - shares[arm]), sign * (shares[base] - shares["oracle"])
    if whole.mean() <= 0:
        return None
    gain = float(brought.mean() / whole.mean())
    if whole.shape[1] < MIN_VIDEOS:
        return Gain(gain=gain, ci=None, reason=f"an interval needs at least {MIN_VIDEOS} test videos")

    def refused(table: Array) -> float:
        """Return a number above zero if the mean of the table is not zero."""
        error, df = crossed_error(table)
        return float(abs(table.mean()) - stats.t.isf((1 - level) / 2, df) * error)

    if refused(whole) <= 0:
        return Gain(gain=gain, ci=None, reason="it is not sure that the oracle itself gains anything")
    if refused(brought - gain * whole) >= 0:  # every video and seed says the same
        return Gain(gain=gain, ci=(gain, gain))

    def end(side: float) -> float:
        far = side
        while refused(brought - (gain + far) * whole) <= 0:
            far *= 2
        return float(optimize.brentq(lambda share: refused(brought - share * whole), gain, gain + far))

    return Gain(gain=gain, ci=(end(-1.0), end(1.0)))
