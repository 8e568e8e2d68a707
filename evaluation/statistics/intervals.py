"""Intervals and p-values for arms that were trained with several seeds and tested on the same videos."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from echo_augment.cache.errors import EchoAugmentError

from .metrics import Array, Metric

Indices = npt.NDArray[np.int64]
Statistic = Callable[[Indices, Indices], Array]

FEW_SEEDS = 10  # below this many, seeds are not resampled
MIN_HEARTS = 8  # below this a bootstrap of hearts says nothing that the single values do not
POWER = 0.8
RESAMPLES = 4999
CELLS = 2_000_000  # of a table of resampled residuals held at once


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with what the data say about its uncertainty.

    Attributes:
        value: the figure, or the difference of the figure between two arms.
        ci: interval at the asked level, or None where ``reason`` says why there is none.
        p: two-sided p-value of "the difference is zero"; None for a single arm or where there is no interval.
        detectable: the smallest true difference that this design finds with 80 % power; None like ``p``.
        reason: why there is no interval; empty where there is one.
    """

    value: float
    ci: tuple[float, float] | None
    p: float | None = None
    detectable: float | None = None
    reason: str = ""


def estimate_arm(
    metric: Metric, true: Array, predicted: Array, *, level: float = 0.95, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """The figure of one arm.

    Args:
        metric: which figure.
        true: ``(H,)`` true values.
        predicted: ``(S, H)`` predictions of S trainings for the same hearts.
        level: of the interval, in (0, 1).
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """
    return _estimate(metric, true, [_residuals(true, predicted)], level, seed, resamples)


def estimate_difference(
    metric: Metric,
    true: Array,
    first: Array,
    second: Array,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """The figure of ``first`` minus that of ``second``, paired by heart and by seed; arguments as in estimate_arm."""
    pair = [_residuals(true, first), _residuals(true, second)]
    if pair[0].shape != pair[1].shape:
        raise EchoAugmentError(f"paired arms need equal seeds and hearts, got {pair[0].shape} and {pair[1].shape}")
    return _estimate(metric, true, pair, level, seed, resamples)


def _residuals(true: Array, predicted: Array) -> Array:
    if predicted.ndim != 2 or true.shape != predicted.shape[1:]:
        raise EchoAugmentError(f"predictions must be (seeds, {len(true)} hearts), got {predicted.shape}")
    return predicted - true


def _estimate(metric: Metric, true: Array, arms: list[Array], level: float, seed: int, resamples: int) -> Estimate:
    if not 0 < level < 1:
        raise EchoAugmentError(f"level must be in (0, 1), got {level}")
    seeds, hearts = arms[0].shape
    signs = (1.0, -1.0)[: len(arms)]
    if reason := metric.undefined(true):
        return Estimate(math.nan, None, reason=reason)
    value = sum(sign * float(metric.value(arm, true[None])) for sign, arm in zip(signs, arms, strict=True))
    if hearts < MIN_HEARTS:
        noun = "heart" if hearts == 1 else "hearts"
        return Estimate(value, None, reason=f"{hearts} test {noun}; an interval needs at least {MIN_HEARTS}")
    tables = [sign * metric.influence(arm, true[None]) for sign, arm in zip(signs, arms, strict=True)]
    share = np.asarray(np.sum(tables, axis=0))
    error, df = crossed_error(share)
    if error < 1e-12 * max(1.0, abs(value)):
        if not metric.bootstrap:
            return Estimate(value, None, reason="every heart says the same: there is no spread to tell the error from")
        return Estimate(value, (value, value), p=1.0 if value == 0 else None, detectable=0.0)
    statistic = _additive(share) if metric.additive else _resampled(metric, true, arms, signs)
    bca = _Bca.of(statistic, seeds, hearts, value, seed, resamples) if metric.bootstrap else None

    def interval(alpha: float) -> tuple[float, float]:
        z, t = float(stats.norm.isf(alpha / 2)), float(stats.t.isf(alpha / 2, df))
        if bca is None or bca.error < 1e-9 * error:  # where all hearts agree the bootstrap of hearts has no shape
            return value - t * error, value + t * error
        # How far each end lies from the estimate, in standard errors of the bootstrap that are due at this level. What
        # is not 1 is skewness (and bias): that of the hearts. Where the seeds enter through SE alone, it is that of a
        # sum with a symmetric part, which is smaller by the cube of the hearts' share in the standard error.
        sides = np.subtract(bca.interval(z), value) / (-z * bca.error, z * bca.error)
        left = min(1.0, bca.error / error) ** 3 if 1 < seeds < FEW_SEEDS else 1.0
        low, high = (1 + (sides - 1) * left) * t * error
        return value - float(low), value + float(high)

    if len(arms) == 1:
        return Estimate(value, interval(1 - level))
    detectable = float(stats.t.isf((1 - level) / 2, df) + stats.t.isf(1 - POWER, df)) * error
    return Estimate(value, interval(1 - level), p=_p_value(interval, resamples), detectable=detectable)


def _resampled(metric: Metric, true: Array, arms: list[Array], signs: Sequence[float]) -> Statistic:
    def statistic(rows: Indices, columns: Indices) -> Array:
        """``(..., S)`` seed numbers and ``(..., H)`` heart numbers to the figure or difference ``(...)``."""
        s, h = rows[..., :, None], columns[..., None, :]
        parts = [sign * metric.value(arm[s, h], true[h]) for sign, arm in zip(signs, arms, strict=True)]
        return np.asarray(np.sum(parts, axis=0))

    return statistic


def _additive(share: Array) -> Statistic:
    """The same for a figure that is the mean of ``share``: many times faster where no seed is resampled."""
    seeds = len(share)
    mean = share.mean(0)

    def statistic(rows: Indices, columns: Indices) -> Array:
        if seeds < FEW_SEEDS:
            return np.asarray(mean[columns].mean(-1))
        return np.asarray(share[rows[..., :, None], columns[..., None, :]].mean((-2, -1)))

    return statistic


def crossed_error(share: Array) -> tuple[float, float]:
    """Standard error and degrees of freedom of the mean of a crossed table.

    Args:
        share: ``(S, H)``; rows (seeds) and columns (hearts) are both samples of something larger.

    Returns:
        The standard error of the grand mean as an estimate of the mean over all seeds and hearts, and Satterthwaite's
        degrees of freedom. With one row the error is over the columns only. For the degrees of freedom the variance
        between seeds counts ``((S + 1) / (S - 1))**3`` times: Satterthwaite's formula takes estimated variances for
        true ones, and where that of a few seeds came out small by chance, the interval would be too short twice over.
        The factor is from simulation (``pytest -m slow tests/evaluation/statistics/test_intervals.py``) and tends to 1.
    """
    seeds, hearts = share.shape
    by_heart = share.mean(0)
    if seeds == 1:
        return float(by_heart.std(ddof=1) / np.sqrt(hearts)), float(hearts - 1)
    by_seed = share.mean(1)
    rest = share - by_heart[None] - by_seed[:, None] + share.mean()
    within = float(np.square(rest).sum()) / ((seeds - 1) * (hearts - 1))
    between_seeds = max(hearts * float(by_seed.var(ddof=1)) - within, 0.0)
    between_hearts = max(seeds * float(by_heart.var(ddof=1)), within)
    total = between_seeds + between_hearts
    if total == 0:
        return 0.0, float(hearts - 1)
    inflated = between_seeds * ((seeds + 1) / (seeds - 1)) ** 3
    squares = (inflated + within) ** 2 / (seeds - 1) + between_hearts**2 / (hearts - 1)
    squares += within**2 / ((seeds - 1) * (hearts - 1))
    return float(np.sqrt(total / (seeds * hearts))), (inflated + between_hearts) ** 2 / squares


def _p_value(interval: Callable[[float], tuple[float, float]], resamples: int) -> float:
    """The smallest ``alpha`` at which the interval leaves zero out, not below what the resamples resolve."""
    low, high = np.log(1 / (resamples + 1)), np.log(0.9999)
    for _ in range(40):
        middle = (low + high) / 2
        left, right = interval(float(np.exp(middle)))
        if left <= 0 <= right:
            low = middle
        else:
            high = middle
    return float(np.exp(high))


@dataclass(frozen=True, slots=True)
class _Bca:
    """A bootstrap distribution with its bias correction and acceleration."""

    distribution: Array
    bias: float
    acceleration: float
    error: float

    @classmethod
    def of(cls, statistic: Statistic, seeds: int, hearts: int, value: float, seed: int, resamples: int) -> "_Bca":
        rng = np.random.default_rng([seed, seeds, hearts])
        samples = [np.arange(seeds), np.arange(hearts)]
        few = seeds < FEW_SEEDS
        rows = np.tile(samples[0], (resamples, 1)) if few else rng.integers(0, seeds, (resamples, seeds))
        columns = rng.integers(0, hearts, (resamples, hearts))
        size = max(1, CELLS // (seeds * hearts))
        parts = [slice(start, start + size) for start in range(0, resamples, size)]
        distribution = np.sort(np.concatenate([statistic(rows[part], columns[part]) for part in parts]))
        below = (np.mean(distribution < value) + np.mean(distribution <= value)) / 2
        edge = 1 / (2 * resamples)
        bias = float(stats.norm.ppf(np.clip(below, edge, 1 - edge)))
        top, bottom = 0.0, 0.0
        for axis, sample in enumerate(samples):
            if axis == 0 and few:
                continue
            left_out = np.array([np.delete(sample, i) for i in range(len(sample))])
            values = np.array(
                [statistic(part, samples[1]) if axis == 0 else statistic(samples[0], part) for part in left_out]
            )
            u = (len(sample) - 1) * (values.mean() - values)
            top += float((u**3).sum()) / len(sample) ** 3
            bottom += float((u**2).sum()) / len(sample) ** 2
        acceleration = top / (6 * bottom**1.5) if bottom > 0 else 0.0
        return cls(distribution, bias, acceleration, float(distribution.std()))

    def interval(self, z: float) -> tuple[float, float]:
        """The BCa endpoints at ``-z`` and ``+z``."""
        points = [self.bias + side for side in (-z, z)]
        # Far out the denominator would change its sign; there the end of the distribution is meant.
        shares = [special.ndtr(self.bias + point / max(1 - self.acceleration * point, 1e-3)) for point in points]
        low, high = np.quantile(self.distribution, shares)
        return float(low), float(high)


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected so that the chance of any false alarm among them stays at the level.

    Holm, "A simple sequentially rejective multiple test procedure" (1979): the smallest of m is multiplied by m, the
    next by m - 1, .., and none is smaller than the one before.

    Args:
        p: in [0, 1], in any order.

    Returns:
        In the order of ``p``.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected.tolist()


def correct(levels: Sequence[Mapping[str, Any]]) -> None:
    """Add ``p_holm`` to every contrast, corrected over the numbers of labels, and ``tests``: over how many.

    Args:
        levels: what `echo_augment.evaluation.statistics.ef_summary.summarise` found for each number of labels; changed
            in place. They need not have the same arms.
    """
    for pair in dict.fromkeys(pair for level in levels for pair in level["contrasts"]):
        there = [level["contrasts"][pair] for level in levels if pair in level["contrasts"]]
        for metric in there[0]:
            cells = [contrast[metric] for contrast in there]
            tested = [cell for cell in cells if cell["p"] is not None]
            for cell, p in zip(tested, holm([cell["p"] for cell in tested]), strict=True):
                cell.update(p_holm=p, tests=len(tested))
