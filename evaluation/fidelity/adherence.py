"""Whose EF does a clip show, and where does label transport go wrong?"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adherence:
    """How well the EF read from clips follows the motion donor's.

    Attributes:
        r2: coefficient of determination against the motion donor's EF.
        mae: mean absolute error against it, in EF points.
        r: Pearson's correlation with it; 0 if all clips read the same.
        bias: mean of read minus donor's, in EF points.
        motion_weight: of the motion donor's EF in a linear regression of the read EF on both donors'.
        appearance_weight: of the appearance donor's EF in it.
    """

    r2: float
    mae: float
    r: float
    bias: float
    motion_weight: float
    appearance_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """Error of the read EF in a quarter of the clips, sorted by something.

    Attributes:
        low: smallest value that the clips are sorted by.
        high: largest.
        n: clips.
        mae: mean absolute error in EF points.
        bias: mean of read minus true EF, in EF points.
    """

    low: float
    high: float
    n: int
    mae: float
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeTrend:
    """How the error of the read EF follows the ratio of both donors' LV sizes.

    Attributes:
        slope: EF points a doubling of the ratio.
        r: Pearson's correlation with the logarithm of the ratio.
        quarters: of the ratio, lowest first.
    """

    slope: float
    r: float
    quarters: list[Quarter]


def adherence(read: Values, motion_ef: Values, appearance_ef: Values) -> Adherence:
    """Return how well the EF read from clips follows the motion donor's.

    Args:
        read: EF read from each clip, in percent, ``(N,)``.
        motion_ef: EF of its motion donor.
        appearance_ef: EF of its appearance donor.
    """
    weights = LinearRegression().fit(np.stack([motion_ef, appearance_ef], 1), read).coef_
    varies = read.std() > 1e-9
    return Adherence(
        r2=float(r2_score(motion_ef, read)),
        mae=float(mean_absolute_error(motion_ef, read)),
        r=float(np.corrcoef(motion_ef, read)[0, 1]) if varies else 0.0,
        bias=float((read - motion_ef).mean()),
        motion_weight=float(weights[0]),
        appearance_weight=float(weights[1]),
    )


def by_quarter(value: Values, read: Values, truth: Values) -> list[Quarter]:
    """Return the error of the read EF in each quarter of ``value``, lowest first.

    Args:
        value: what the clips are sorted by, ``(N,)``; fewer than 4 clips make fewer quarters.
        read: EF read from each clip, in percent.
        truth: EF it should show.
    """
    found = []
    for part in np.array_split(np.argsort(value, kind="stable"), min(4, len(value))):
        error = read[part] - truth[part]
        found.append(
            Quarter(
                low=float(value[part].min()),
                high=float(value[part].max()),
                n=len(part),
                mae=float(np.abs(error).mean()),
                bias=float(error.mean()),
            )
        )
    return found


def by_size(ratio: Values, read: Values, truth: Values) -> SizeTrend:
    """Return how the error of the read EF follows the ratio of both donors' LV sizes.

    Absolute motion on a smaller ventricle is a larger EF: then the slope is positive. Relative motion has slope 0.

    Args:
        ratio: end-diastolic volume of the motion donor over that of the appearance donor, ``(N,)``, positive.
        read: EF read from each clip, in percent.
        truth: EF it should show.
    """
    doublings, error = np.log2(ratio), read - truth
    varies = error.std() > 1e-9 and doublings.std() > 1e-9
    return SizeTrend(
        slope=float(np.polyfit(doublings, error, 1)[0]) if varies else 0.0,
        r=float(np.corrcoef(doublings, error)[0, 1]) if varies else 0.0,
        quarters=by_quarter(ratio, read, truth),
    )
