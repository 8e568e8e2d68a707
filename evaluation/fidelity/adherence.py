"""Whose EF does a clip show, where does label transport go wrong, and how many denoising steps are enough?"""

from collections.abc import Sequence
from typing import Any

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


ENOUGH = 0.01  # of R2


def fewest_steps(curve: Sequence[dict[str, Any]], within: float = ENOUGH) -> int:
    """The fewest steps whose EF adherence is within ``within`` R2 of the best.

    Args:
        curve: a dict for each number of steps, with ``steps`` and ``r2``; at least one.
        within: of R2.
    """
    best = max(row["r2"] for row in curve)
    return int(min(row["steps"] for row in curve if row["r2"] >= best - within))


def curve_text(curve: Sequence[dict[str, Any]]) -> str:
    """The curve as a Markdown table, with the fewest steps that are enough."""
    lines = ["| steps | R2 | MAE | PSNR | SSIM | s a clip |", "|---|---|---|---|---|---|"]
    for row in curve:
        figures = f"{row['r2']:.3f} | {row['mae']:.2f} | {row['psnr']:.2f} | {row['ssim']:.3f} | {row['seconds']:.3f}"
        lines.append(f"| {row['steps']} | {figures} |")
    enough = f"Fewest steps within {ENOUGH} R2 of the best: **{fewest_steps(curve)}**."
    return "\n".join([*lines, "", enough])
