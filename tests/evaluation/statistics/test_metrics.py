"""Error figures of a regression: the textbook's, and each video's share of them."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from echo_augment.evaluation.statistics.metrics import METRICS


def test_metrics_are_the_textbook_s():
    rng = np.random.default_rng(7)
    true = rng.normal(55, 12, 30)
    predicted = true + rng.normal(0, 6, (2, 30))
    for name, theirs in (("mae", mean_absolute_error), ("rmse", root_mean_squared_error), ("r2", r2_score)):
        ours = METRICS[name].per_seed(predicted - true, true[None])
        np.testing.assert_allclose(ours, [theirs(true, row) for row in predicted])


def residuals(seed=0, seeds=3, videos=25):
    rng = np.random.default_rng(seed)
    return rng.normal(1, 6, (seeds, videos)), rng.normal(55, 12, (1, videos))


@pytest.mark.parametrize("name", list(METRICS))
def test_the_mean_of_the_shares_is_the_figure(name):
    found, true = residuals()
    metric = METRICS[name]
    np.testing.assert_allclose(metric.influence(found, true).mean(-1), metric.per_seed(found, true))
    assert metric.value(found, true) == pytest.approx(metric.per_seed(found, true).mean())


@pytest.mark.parametrize("name", list(METRICS))
def test_shares_tell_what_more_weight_on_a_video_does(name):
    found, true = residuals(1)
    metric, step = METRICS[name], 1e-4
    twice = (
        np.concatenate([found[:1]] * 2000 + [found[:1, 7:8]], axis=1),
        np.concatenate([true] * 2000 + [true[:, 7:8]], 1),
    )
    moved = metric.per_seed(*twice) - metric.per_seed(found[:1], true)
    share = metric.influence(found[:1], true)
    wanted = (share[:, 7] - share.mean()) / (2000 * 25 + 1)
    assert abs(moved[0]) > step * 1e-4
    np.testing.assert_allclose(moved, wanted, rtol=0.01)


def test_many_resamples_are_computed_at_once():
    found, true = residuals()
    stacked = np.stack([found, found + 1])
    for metric in METRICS.values():
        both = metric.value(stacked, np.stack([true, true]))
        assert both.shape == (2,) and both[0] == pytest.approx(metric.value(found, true))


def test_errors_shrink_and_scores_grow():
    good, true = residuals()
    for metric in METRICS.values():
        better, worse = metric.value(good / 2, true), metric.value(good, true)
        assert (better < worse) == metric.smaller_is_better
    assert METRICS["mae"].additive and not METRICS["rmse"].additive


def test_without_errors_nothing_is_divided_by_nought():
    none, true = np.zeros((2, 5)), np.arange(5.0)[None]
    with np.errstate(all="raise"):
        assert METRICS["rmse"].influence(none, true).tolist() == none.tolist()
        assert METRICS["r2"].per_seed(none, true).tolist() == [1, 1]
        assert np.isnan(METRICS["r2"].per_seed(none, np.full((1, 5), 50.0))).all(), "all videos have one EF"
