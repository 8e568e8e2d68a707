"""Where a transported label goes wrong: by the label itself, and by how unlike in size the two hearts are."""

from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def by_quarter(value: Values, read: Values, truth: Values) -> list[dict[str, float]]:
    """Error of the read EF in each quarter of ``value``, lowest first.

    Args:
        value: what the clips are sorted by, ``(N,)``; fewer than 4 make fewer quarters.
        read: EF read from each clip, in percent.
        truth: the EF it should show.

    Returns:
        For each quarter ``low`` and ``high`` of ``value``, ``n``, ``mae`` and ``bias`` (read minus truth) in EF points.
    """
    found = []
    for part in np.array_split(np.argsort(value, kind="stable"), min(4, len(value))):
        error = read[part] - truth[part]
        found.append(
            {
                "low": float(value[part].min()),
                "high": float(value[part].max()),
                "n": len(part),
                "mae": float(np.abs(error).mean()),
                "bias": float(error.mean()),
            }
        )
    return found


def by_size(ratio: Values, read: Values, truth: Values) -> dict[str, Any]:
    """How the error of the read EF follows the ratio of the two hearts' LV sizes.

    Absolute motion on a smaller ventricle is a larger EF: then the slope is positive. Relative motion has slope 0.

    Args:
        ratio: end-diastolic volume of the motion donor over that of the appearance donor, ``(N,)``, positive.
        read: EF read from each clip, in percent.
        truth: the EF it should show.

    Returns:
        ``slope`` in EF points a doubling of the ratio, ``r`` (Pearson) with the logarithm of the ratio, and
        ``quarters`` of the ratio (:func:`by_quarter`).
    """
    doublings, error = np.log2(ratio), read - truth
    varies = error.std() > 1e-9 and doublings.std() > 1e-9
    return {
        "slope": float(np.polyfit(doublings, error, 1)[0]) if varies else 0.0,
        "r": float(np.corrcoef(doublings, error)[0, 1]) if varies else 0.0,
        "quarters": by_quarter(ratio, read, truth),
    }
