"""AUROC, calibration and ranges against cases whose answer is known."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from echo_augment.evaluation.statistics.clinical import (
    BIAS,
    CALIBRATION,
    CLINICAL,
    auroc,
    by_range,
    calibrate,
    wrong_side,
)
from echo_augment.evaluation.statistics.comparison import Precision
from echo_augment.evaluation.statistics.intervals import estimate_arm, estimate_difference


def videos(rng, seeds: int = 3, count: int = 120, noise: float = 8.0):
    true = rng.normal(52, 12, count)
    return true, true + rng.normal(0, noise, (seeds, count))


def test_auroc_is_scikit_learn_s_and_ties_count_half():
    true, predicted = videos(np.random.default_rng(0))
    predicted = predicted.round(-1)
    metric = auroc(50)
    theirs = [roc_auc_score(true < 50, -one) for one in predicted]
    np.testing.assert_allclose(metric.per_seed(predicted - true, true[None]), theirs)
    np.testing.assert_allclose(metric.influence(predicted - true, true[None]).mean(1), theirs)


def delong(low, scores) -> float:
    """Standard error of an AUROC, as DeLong et al. write it."""
    first = np.array([np.mean((one > scores[~low]) + 0.5 * (one == scores[~low])) for one in scores[low]])
    second = np.array([np.mean((scores[low] > one) + 0.5 * (scores[low] == one)) for one in scores[~low]])
    return float(np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second)))


def test_the_interval_of_one_seed_is_delong_s():
    true, predicted = videos(np.random.default_rng(1), seeds=1, count=300)
    found = estimate_arm(auroc(50), true, predicted)
    wanted = delong(true < 50, -predicted[0]) * stats.t.isf(0.025, 299)
    assert (found.ci[1] - found.ci[0]) / 2 == pytest.approx(wanted, rel=0.02)


def test_the_auroc_s_interval_holds_the_truth_about_as_often_as_it_says():
    rng, held = np.random.default_rng(2), 0
    large = videos(rng, seeds=1, count=400_000)
    truth = float(auroc(50).per_seed(large[1] - large[0], large[0][None])[0])
    for _ in range(200):
        found = estimate_arm(auroc(50), *videos(rng, seeds=1, count=150))
        held += found.ci[0] <= truth <= found.ci[1]
    assert 0.90 <= held / 200 <= 0.99


def test_equal_arms_have_no_difference_and_a_noisier_one_is_worse():
    rng = np.random.default_rng(3)
    true, good = videos(rng, count=300, noise=4.0)
    bad = true + rng.normal(0, 15, good.shape)
    assert estimate_difference(auroc(50), true, good, bad).ci[0] > 0
    assert estimate_difference(wrong_side(50), true, good, bad, resamples=199).ci[1] < 0


def test_an_auroc_without_cases_says_so():
    true = np.full(20, 60.0) + np.arange(20)
    found = estimate_arm(auroc(50), true, true[None] + 1)
    assert found.ci is None
    assert np.isnan(found.value)
    assert "0 of 20" in found.reason
    split = np.r_[np.full(10, 30.0), np.full(10, 70.0)]
    assert "no spread" in estimate_arm(auroc(50), split, split[None]).reason


def test_calibration_is_least_squares_and_finds_a_known_scale():
    rng = np.random.default_rng(4)
    predicted = rng.normal(55, 8, (2, 4000))
    true = 10 + 0.8 * predicted[0] + rng.normal(0, 3, 4000)
    found = calibrate(true, predicted[:1], Precision(resamples=199))
    fit = LinearRegression().fit(predicted[0][:, None], true)
    assert found.slope.mean == pytest.approx(float(fit.coef_[0]))
    assert found.intercept.mean == pytest.approx(float(fit.intercept_))
    assert found.slope.ci[0] < 0.8 < found.slope.ci[1]
    assert found.intercept.ci[0] < 10 < found.intercept.ci[1]
    error = stats.linregress(predicted[0], true).stderr * stats.t.isf(0.025, 3999)
    assert (found.slope.ci[1] - found.slope.ci[0]) / 2 == pytest.approx(error, rel=0.05)
    assert found.bias.mean == pytest.approx(float((predicted[0] - true).mean()))


def test_the_slope_s_interval_holds_the_truth_about_as_often_as_it_says():
    rng, held = np.random.default_rng(5), 0
    for _ in range(200):
        predicted = rng.normal(55, 8, (1, 100))
        true = 10 + 0.8 * predicted[0] + rng.normal(0, 6, 100)
        low, high = estimate_arm(CALIBRATION["slope"], true, predicted).ci
        held += low <= 0.8 <= high
    assert 0.90 <= held / 200 <= 0.985


def test_every_range_has_its_own_error_and_empty_ones_are_left_out():
    true = np.r_[np.full(10, 35.0), np.full(20, 55.0)]
    predicted = np.stack([true + np.where(true < 40, 5, -1), true + np.where(true < 40, 7, -1)])
    rows = by_range(true, predicted, Precision(resamples=99))
    assert [(row.range, row.videos) for row in rows] == [("below 40", 10), ("50 to 60", 20)]
    assert [row.mae.mean for row in rows] == [6, 1]
    assert [row.bias.mean for row in rows] == [6, -1]


@pytest.mark.parametrize("metric", [*CLINICAL.values(), *CALIBRATION.values(), BIAS], ids=lambda metric: metric.name)
def test_influence_is_the_derivative_of_the_figure(metric):
    true, predicted = videos(np.random.default_rng(6), count=60)
    share = metric.influence(predicted - true, true[None])
    whole = metric.per_seed(predicted - true, true[None])
    np.testing.assert_allclose(share.mean(1), whole, rtol=1e-9)
    twice = np.append(np.arange(60), 4)
    moved = metric.per_seed((predicted - true)[:, twice], true[None, twice]) - whole
    wanted = (share[:, 4] - share.mean(1)) / 61
    np.testing.assert_allclose(moved, wanted, rtol=0.2, atol=0.1 * np.abs(wanted).max() + 1e-12)
