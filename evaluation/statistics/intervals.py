"""Intervals and p-values for arms that were trained with several seeds and tested on the same videos."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from echo_augment.cache.errors import EchoAugmentError

from .metrics import Array, Metric

Indices = npt.NDArray[np.int64]
Statistic = Callable[[Indices, Indices], Array]
Groups = Sequence[int] | None

FEW_SEEDS = 10  # below this many, seeds are not resampled
MIN_VIDEOS = 8  # below this a bootstrap of videos says nothing that the single values do not
POWER = 0.8
RESAMPLES = 4999
CELLS = 2_000_000  # largest table of resampled residuals held at once


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with what the data say about its uncertainty.

    Attributes:
        value: the figure, or the difference of the figure between two arms.
        ci: interval at the asked level, or None where ``reason`` says why there is none.
        p: two-sided p-value of "the difference is zero"; None for a single arm or without an interval.
        detectable: the smallest true difference that this design finds with 80 % power; None like ``p``.
        reason: why there is no interval; empty if there is one.
    """

    value: float
    ci: tuple[float, float] | None
    p: float | None = None
    detectable: float | None = None
    reason: str = ""


def estimate_arm(
    metric: Metric,
    true: Array,
    predicted: Array,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
    groups: Groups = None,
) -> Estimate:
    """Return the figure of one arm with its interval.

    Args:
        metric: which figure.
        true: ``(H,)`` true values.
        predicted: ``(S, H)`` predictions of S trainings for the same H videos.
        level: coverage of the interval, in (0, 1).
        seed: draws the bootstrap.
        resamples: how many the bootstrap draws.
        groups: ``(S,)`` numbers of what several seeds share and another run would draw anew, such as the generator that
            made their clips. The interval is then over groups and videos. None, or one group, is over seeds and videos.

    Raises:
        EchoAugmentError: the shapes do not fit, or ``level`` is out of its range.
    """
    return _estimate(metric, true, [_residuals(true, predicted)], level, seed, resamples, groups)


def estimate_difference(
    metric: Metric,
    true: Array,
    first: Array,
    second: Array,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
    groups: Groups = None,
) -> Estimate:
    """Return the figure of ``first`` minus that of ``second``, paired by video and by seed; arguments as in
    `estimate_arm`.

    The interval is a BCa bootstrap over videos (Efron, "Better bootstrap confidence intervals", J. Am. Stat. Assoc.
    1987), widened by the two-way error of `crossed_error` where seeds are too few to be resampled.

    >>> import numpy as np
    >>> from echo_augment.evaluation.statistics.metrics import METRICS
    >>> true = np.linspace(30, 70, 9)
    >>> found = estimate_difference(METRICS["mae"], true, true[None] + 2, true[None] + 5)
    >>> found.value, found.ci
    (-3.0, (-3.0, -3.0))
    """
    pair = [_residuals(true, first), _residuals(true, second)]
    if pair[0].shape != pair[1].shape:
        raise EchoAugmentError(f"paired arms need equal (seeds, videos), got {pair[0].shape} and {pair[1].shape}")
    return _estimate(metric, true, pair, level, seed, resamples, groups)


def _residuals(true: Array, predicted: Array) -> Array:
    if predicted.ndim != 2 or true.shape != predicted.shape[1:]:
        raise EchoAugmentError(f"predictions must be of shape (seeds, {len(true)}), got {predicted.shape}")
    return predicted - true


def _estimate(
    metric: Metric, true: Array, arms: list[Array], level: float, seed: int, resamples: int, groups: Groups
) -> Estimate:
    if not 0 < level < 1:
        raise EchoAugmentError(f"level must be in (0, 1), got {level}")
    seeds, videos = arms[0].shape
    signs = (1.0, -1.0)[: len(arms)]
    if reason := metric.undefined(true):
        return Estimate(math.nan, None, reason=reason)
    value = sum(sign * float(metric.value(arm, true[None])) for sign, arm in zip(signs, arms, strict=True))
    if videos < MIN_VIDEOS:
        noun = "heart" if videos == 1 else "hearts"
        return Estimate(value, None, reason=f"{videos} test {noun}; an interval needs at least {MIN_VIDEOS}")
    tables = [sign * metric.influence(arm, true[None]) for sign, arm in zip(signs, arms, strict=True)]
    share = np.asarray(np.sum(tables, axis=0))
    rows = grouped(share, groups)
    error, df = crossed_error(rows)
    units = len(rows)
    if error < 1e-12 * max(1.0, abs(value)):
        if not metric.bootstrap:
            return Estimate(value, None, reason="every video says the same: there is no spread to tell the error from")
        return Estimate(value, (value, value), p=1.0 if value == 0 else None, detectable=0.0)
    few = units < FEW_SEEDS
    statistic = _additive(share, few) if metric.additive else _resampled(metric, true, arms, signs)
    bca = _Bca.of(statistic, seeds, videos, value, seed, resamples, few) if metric.bootstrap else None

    def interval(alpha: float) -> tuple[float, float]:
        z, t = float(stats.norm.isf(alpha / 2)), float(stats.t.isf(alpha / 2, df))
        if bca is None or bca.error < 1e-9 * error:  # where all videos agree their bootstrap has no shape
            return value - t * error, value + t * error
        # How far each end lies from the estimate, in standard errors of the bootstrap that are due at this level. What
        # is not 1 is skewness (and bias): that of the videos. Where the seeds enter through SE alone, it is that of a
        # sum with a symmetric part, which is smaller by the cube of the videos' share in the standard error.
        sides = np.subtract(bca.interval(z), value) / (-z * bca.error, z * bca.error)
        left = min(1.0, bca.error / error) ** 3 if 1 < units < FEW_SEEDS else 1.0
        low, high = (1 + (sides - 1) * left) * t * error
        return value - float(low), value + float(high)

    if len(arms) == 1:
        return Estimate(value, interval(1 - level))
    detectable = float(stats.t.isf((1 - level) / 2, df) + stats.t.isf(1 - POWER, df)) * error
    return Estimate(value, interval(1 - level), p=_p_value(interval, resamples), detectable=detectable)


def _resampled(metric: Metric, true: Array, arms: list[Array], signs: Sequence[float]) -> Statistic:
    def statistic(rows: Indices, columns: Indices) -> Array:
        """Return the figure or difference ``(...)`` of seeds ``(..., S)`` and videos ``(..., H)``, given by number."""
        s, h = rows[..., :, None], columns[..., None, :]
        parts = [sign * metric.value(arm[s, h], true[h]) for sign, arm in zip(signs, arms, strict=True)]
        return np.asarray(np.sum(parts, axis=0))

    return statistic


def _additive(share: Array, few: bool) -> Statistic:
    """Return the same for a figure that is the mean of ``share``: many times faster where no seed is resampled."""
    mean = share.mean(0)

    def statistic(rows: Indices, columns: Indices) -> Array:
        if few:
            return np.asarray(mean[columns].mean(-1))
        return np.asarray(share[rows[..., :, None], columns[..., None, :]].mean((-2, -1)))

    return statistic


def grouped(share: Array, groups: Groups) -> Array:
    """Return the mean of each group's seeds ``(G, H)``, the rows that an interval is over; ``share`` without groups.

    Seeds of one group share its effect, so that more of them do not tell how much groups differ: the groups do. The
    mean of each is taken for one draw, whatever its number of seeds, which should differ by one at most.

    Args:
        share: ``(S, H)``.
        groups: ``(S,)``; None, or one group, gives ``share``.

    Raises:
        EchoAugmentError: there are not as many as seeds.

    >>> import numpy as np
    >>> grouped(np.array([[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]), [0, 0, 1])
    array([[2., 3.],
           [9., 9.]])
    """
    if groups is None or len(set(groups)) < 2:
        return share
    if len(groups) != len(share):
        raise EchoAugmentError(f"{len(groups)} groups for {len(share)} seeds")
    of = np.asarray(groups)
    return np.stack([share[of == one].mean(0) for one in dict.fromkeys(groups)])


def crossed_error(share: Array) -> tuple[float, float]:
    """Return standard error and degrees of freedom of the mean of a crossed table.

    Args:
        share: ``(S, H)``; rows (seeds) and columns (videos) are both samples of something larger.

    Returns:
        The standard error of the grand mean as an estimate of the mean over all seeds and videos, and Satterthwaite's
        degrees of freedom. With one row the error is over the columns only. For the degrees of freedom the variance
        between seeds counts ``((S + 1) / (S - 1))**3`` times: Satterthwaite's formula takes estimated variances for
        true ones, and where that of a few seeds came out small by chance, the interval would be too short twice over.
        The factor is from simulation (``pytest -m slow tests/evaluation/statistics/test_intervals.py``) and tends to 1.
    """
    seeds, videos = share.shape
    by_video = share.mean(0)
    if seeds == 1:
        return float(by_video.std(ddof=1) / np.sqrt(videos)), float(videos - 1)
    by_seed = share.mean(1)
    rest = share - by_video[None] - by_seed[:, None] + share.mean()
    within = float(np.square(rest).sum()) / ((seeds - 1) * (videos - 1))
    between_seeds = max(videos * float(by_seed.var(ddof=1)) - within, 0.0)
    between_videos = max(seeds * float(by_video.var(ddof=1)), within)
    total = between_seeds + between_videos
    if total == 0:
        return 0.0, float(videos - 1)
    inflated = between_seeds * ((seeds + 1) / (seeds - 1)) ** 3
    squares = (inflated + within) ** 2 / (seeds - 1) + between_videos**2 / (videos - 1)
    squares += within**2 / ((seeds - 1) * (videos - 1))
    return float(np.sqrt(total / (seeds * videos))), (inflated + between_videos) ** 2 / squares


def _p_value(interval: Callable[[float], tuple[float, float]], resamples: int) -> float:
    """Return the smallest ``alpha`` at which the interval leaves zero out, not below what the resamples resolve."""
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
    def of(
        cls, statistic: Statistic, seeds: int, videos: int, value: float, seed: int, resamples: int, few: bool
    ) -> "_Bca":
        rng = np.random.default_rng([seed, seeds, videos])
        samples = [np.arange(seeds), np.arange(videos)]
        rows = np.tile(samples[0], (resamples, 1)) if few else rng.integers(0, seeds, (resamples, seeds))
        columns = rng.integers(0, videos, (resamples, videos))
        size = max(1, CELLS // (seeds * videos))
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
        """Return the BCa endpoints at ``-z`` and ``+z``."""
        points = [self.bias + side for side in (-z, z)]
        # Far out the denominator would change its sign; there the end of the distribution is meant.
        shares = [special.ndtr(self.bias + point / max(1 - self.acceleration * point, 1e-3)) for point in points]
        low, high = np.quantile(self.distribution, shares)
        return float(low), float(high)
