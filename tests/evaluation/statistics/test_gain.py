"""The share of the oracle's gain and its interval."""

import numpy as np
import pytest

from echo_augment.evaluation.statistics.gain import recovered, recovered_gain
from echo_augment.evaluation.statistics.metrics import METRICS
from echo_augment.evaluation.statistics.segmentation_summary import SCORES


def tables(
    share: float, whole: float, noise: float, seed: int = 0, seeds: int = 5, videos: int = 60, luck: float = 0.0
) -> dict:
    """Errors of arms; ``luck`` is how far single trainings are off on all videos together."""
    rng, own = np.random.default_rng(seed), np.random.default_rng([7, seed])
    means = {"real": 10.0, "synthetic": 10.0 - share * whole, "oracle": 10.0 - whole}
    base = rng.normal(0, 3, (1, videos))
    return {
        arm: mean
        + base
        + noise * (rng.normal(0, 1, (seeds, videos)) + rng.normal(0, 1, (1, videos)))
        + luck * own.normal(0, 1, (seeds, 1))
        for arm, mean in means.items()
    }


def test_it_is_the_ratio_and_its_interval_holds_it():
    found = recovered(tables(0.6, 3.0, 1.0), "synthetic", "real")
    assert found.ci[0] < found.gain < found.ci[1]
    assert found.gain == pytest.approx(0.6, abs=0.2)
    turned = {arm: -table for arm, table in tables(0.6, 3.0, 1.0).items()}
    assert recovered(turned, "synthetic", "real", smaller_is_better=False) == found


@pytest.mark.parametrize("luck", [0.0, 0.3])
def test_the_interval_holds_the_truth_as_often_as_it_says(luck):
    held = [
        low <= 0.6 <= high
        for seed in range(300)
        for low, high in [recovered(tables(0.6, 3.0, 2.0, seed, luck=luck), "synthetic", "real").ci]
    ]
    assert 0.91 <= np.mean(held) <= 0.99


def test_without_a_sure_gain_of_the_oracle_there_is_no_interval():
    assert recovered(tables(0.5, -3.0, 1.0), "synthetic", "real") is None
    assert recovered({"real": np.ones((2, 9))}, "synthetic", "real") is None
    unsure = recovered(tables(0.5, 0.05, 3.0, seed=3), "synthetic", "real")
    assert unsure.ci is None and "not sure" in unsure.reason
    assert recovered(tables(0.5, 3.0, 0.1, videos=4), "synthetic", "real").ci is None


def test_where_all_say_the_same_the_interval_is_a_point():
    found = recovered(tables(0.5, 3.0, 0.0), "synthetic", "real")
    assert found.ci == (found.gain, found.gain) and found.gain == pytest.approx(0.5)


def test_the_gain_of_means_for_an_error_and_for_a_score():
    mae, dice = METRICS["mae"], SCORES["dice"]
    assert recovered_gain({"real": 10, "synthetic": 9, "oracle": 8}, mae) == pytest.approx(0.5)
    assert recovered_gain({"real": 10, "synthetic": 11, "oracle": 8}, mae) == pytest.approx(-0.5)
    assert recovered_gain({"real": 0.8, "synthetic": 0.81, "oracle": 0.84}, dice) == pytest.approx(0.25)


def test_without_these_arms_or_an_oracle_that_gains_there_is_no_share():
    assert recovered_gain({"real": 10, "synthetic": 9, "oracle": 10}, METRICS["mae"]) is None
    assert recovered_gain({"real": 10, "synthetic": 9}, METRICS["mae"]) is None
