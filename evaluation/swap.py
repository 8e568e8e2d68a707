"""The swap test: whose EF does a clip show, the motion donor's or the appearance donor's?"""

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score

Values = npt.NDArray[np.float64]


def adherence(read: Values, motion_ef: Values, appearance_ef: Values) -> dict[str, float]:
    """How well the EF read from clips follows the motion donor's.

    Args:
        read: EF read from each clip, in percent, ``(N,)``.
        motion_ef: EF of its motion donor.
        appearance_ef: EF of its appearance donor.

    Returns:
        ``r2`` and ``mae`` (EF points) against the motion donor's EF, ``r`` (Pearson), ``bias`` (read minus donor),
        and the
        weights ``motion_weight`` and ``appearance_weight`` of a linear regression of the read EF on both donors' EF.
    """
    weights = LinearRegression().fit(np.stack([motion_ef, appearance_ef], 1), read).coef_
    varies = read.std() > 1e-9
    return {
        "r2": float(r2_score(motion_ef, read)),
        "mae": float(mean_absolute_error(motion_ef, read)),
        "r": float(np.corrcoef(motion_ef, read)[0, 1]) if varies else 0.0,
        "bias": float((read - motion_ef).mean()),
        "motion_weight": float(weights[0]),
        "appearance_weight": float(weights[1]),
    }
