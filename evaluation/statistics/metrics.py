"""Error figures of a regression, per training seed, and what each TEST video adds to them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def _defined(_: Array) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that is computed from residuals and true values.

    Attributes:
        name: key in the report.
        per_seed: ``(..., S, H)`` residuals and ``(..., 1, H)`` true values to ``(..., S)``.
        influence: ``(S, H)`` residuals and ``(1, H)`` true values to ``(S, H)`` numbers whose mean over videos is
            ``per_seed``: the share of each video, exact for means, to first order for the others.
        smaller_is_better: True for errors, False for scores.
        additive: ``per_seed`` is exactly the mean of ``influence`` over any videos, as for the MAE.
        bootstrap: False for figures of ranks or fits, whose interval is taken from ``influence`` alone.
        undefined: says why the figure is undefined for true values ``(H,)``; empty if it is not.
    """

    name: str
    per_seed: Callable[[Array, Array], Array]
    influence: Callable[[Array, Array], Array]
    smaller_is_better: bool = True
    additive: bool = False
    bootstrap: bool = True
    undefined: Callable[[Array], str] = _defined

    def value(self, residuals: Array, true: Array) -> Array:
        """Return the mean over seeds of the per-seed figure: ``(..., S, H)`` and ``(..., 1, H)`` to ``(...)``."""
        return np.asarray(self.per_seed(residuals, true).mean(-1))


def _mae(residuals: Array, _: Array) -> Array:
    return np.asarray(np.abs(residuals).mean(-1))


def _mae_influence(residuals: Array, _: Array) -> Array:
    return np.asarray(np.abs(residuals))


def _rmse(residuals: Array, _: Array) -> Array:
    return np.asarray(np.sqrt(np.square(residuals).mean(-1)))


def _rmse_influence(residuals: Array, true: Array) -> Array:
    rmse = _rmse(residuals, true)[:, None]
    return np.asarray((np.square(residuals) / np.where(rmse == 0, 1, rmse) + rmse) / 2)


def _r2(residuals: Array, true: Array) -> Array:
    spread = true.var(-1)
    return np.where(spread > 0, 1 - np.square(residuals).mean(-1) / np.where(spread > 0, spread, 1), np.nan)


def _r2_influence(residuals: Array, true: Array) -> Array:
    square = np.square(residuals)
    error, spread = square.mean(-1, keepdims=True), true.var()
    deviation = np.square(true - true.mean()) - spread
    return np.asarray(1 - square / spread + error / spread**2 * deviation)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("mae", _mae, _mae_influence, additive=True),
        Metric("rmse", _rmse, _rmse_influence),
        Metric("r2", _r2, _r2_influence, smaller_is_better=False),
    )
}
