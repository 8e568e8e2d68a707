"""What a clinician asks of EF predictions: who is told apart, is the scale right, where are the errors.

AUROC and calibration are figures of ranks and fits. Their intervals come from the influence of each video (DeLong,
DeLong and Clarke-Pearson, Biometrics 1988, is the special case of one seed), with the same two-way error over seeds and
videos as all others; see `echo_augment.evaluation.statistics.intervals`.
"""

import numpy as np
from sklearn.metrics import roc_auc_score

from .comparison import Precision, measure_arm
from .intervals import Groups
from .metrics import METRICS, Array, Metric
from .results import Calibration, RangeFigures

CUTS = (50, 40)  # EF in percent below which function is reduced: mildly, and clearly
RANGES = ((0.0, 40.0, "below 40"), (40.0, 50.0, "40 to 50"), (50.0, 60.0, "50 to 60"), (60.0, 101.0, "60 and above"))


def auroc(cut: float) -> Metric:
    """Return the metric of how well predictions tell an EF below ``cut`` percent from others: 0.5 chance, 1 perfect."""

    def per_seed(residuals: Array, true: Array) -> Array:
        low = true[0] < cut
        return np.array([roc_auc_score(low, -one) for one in residuals + true])

    def influence(residuals: Array, true: Array) -> Array:
        low = true[0] < cut
        scores = -(residuals + true)
        above = scores[:, low, None] - scores[:, None, ~low]
        right = (above > 0) + 0.5 * (above == 0)
        whole = right.mean((1, 2))[:, None]
        found = np.empty_like(scores)
        found[:, low] = whole + (right.mean(2) - whole) / low.mean()
        found[:, ~low] = whole + (right.mean(1) - whole) / (~low).mean()
        return found

    def undefined(true: Array) -> str:
        below = int((true < cut).sum())
        few = min(below, len(true) - below)
        return f"{below} of {len(true)} TEST videos have an EF below {cut:g}" if few < 2 else ""

    return Metric(f"auroc_{cut:g}", per_seed, influence, smaller_is_better=False, bootstrap=False, undefined=undefined)


def wrong_side(cut: float) -> Metric:
    """Return the metric of the share of videos that are put on the wrong side of ``cut`` percent."""

    def influence(residuals: Array, true: Array) -> Array:
        return np.asarray((residuals + true < cut) != (true < cut), np.float64)

    def per_seed(residuals: Array, true: Array) -> Array:
        return np.asarray(influence(residuals, true).mean(-1))

    return Metric(f"wrong_side_{cut:g}", per_seed, influence, additive=True)


def _flat(true: Array) -> str:
    return "" if len(true) > 2 and true.std() > 0 else "the true values do not differ"


def _fit(residuals: Array, true: Array) -> tuple[Array, Array, Array, Array]:
    """Return least squares of the true on the predicted values: slope, lever of each prediction, residuals, mean."""
    predicted = residuals + true
    mean = predicted.mean(1, keepdims=True)
    centred = predicted - mean
    spread = np.square(centred).mean(1, keepdims=True)
    slope = (centred * (true - true.mean())).mean(1, keepdims=True) / np.where(spread > 0, spread, np.nan)
    return slope, centred / np.where(spread > 0, spread, np.nan), true - true.mean() - slope * centred, mean


def _slope_influence(residuals: Array, true: Array) -> Array:
    slope, lever, rest, _ = _fit(residuals, true)
    return slope + lever * rest


def _intercept_influence(residuals: Array, true: Array) -> Array:
    slope, lever, rest, mean = _fit(residuals, true)
    return np.asarray(true.mean() - slope * mean + rest - mean * lever * rest)


CALIBRATION = {
    "slope": Metric(
        "slope",
        lambda residuals, true: _fit(residuals, true)[0][:, 0],
        _slope_influence,
        bootstrap=False,
        undefined=_flat,
    ),
    "intercept": Metric(
        "intercept",
        lambda residuals, true: _intercept_influence(residuals, true).mean(1),
        _intercept_influence,
        bootstrap=False,
        undefined=_flat,
    ),
}
BIAS = Metric("bias", lambda residuals, _: residuals.mean(-1), lambda residuals, _: residuals, additive=True)
CLINICAL = {metric.name: metric for cut in CUTS for metric in (auroc(cut), wrong_side(cut))}


def calibrate(true: Array, predicted: Array, precision: Precision, groups: Groups = None) -> Calibration:
    """Return slope and intercept of ``true = intercept + slope * predicted``, and the bias ``predicted - true``.

    A perfect scale has slope 1 and intercept 0; a slope above 1 says that predictions are drawn to the mean.

    Args:
        true: ``(H,)`` EF in percent.
        predicted: ``(S, H)``.
        precision: of the intervals.
        groups: ``(S,)``, see `echo_augment.evaluation.statistics.intervals.estimate_arm`.
    """
    slope, intercept, bias = (
        measure_arm(metric, true, predicted, precision, groups)
        for metric in (CALIBRATION["slope"], CALIBRATION["intercept"], BIAS)
    )
    return Calibration(slope=slope, intercept=intercept, bias=bias)


def by_range(true: Array, predicted: Array, precision: Precision, groups: Groups = None) -> tuple[RangeFigures, ...]:
    """Return MAE and bias within `RANGES` of the true EF; arguments as in `calibrate`. Empty ranges are left out."""
    rows = []
    for low, high, name in RANGES:
        inside = (true >= low) & (true < high)
        if not inside.any():
            continue
        mae, bias = (
            measure_arm(metric, true[inside], predicted[:, inside], precision, groups)
            for metric in (METRICS["mae"], BIAS)
        )
        rows.append(RangeFigures(range=name, low=low, high=high, videos=int(inside.sum()), mae=mae, bias=bias))
    return tuple(rows)
