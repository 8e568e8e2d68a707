"""The share of the oracle's gain and its interval."""

import numpy as np
import pytest

from echo_augment.evaluation.statistics.gain import recovered


def tables(
    share: float, whole: float, noise: float, seed: int = 0, seeds: int = 5, hearts: int = 60, luck: float = 0.0
) -> dict:
    """Errors of arms; ``luck`` is how far single trainings are off on all hearts together."""
    rng, own = np.random.default_rng(seed), np.random.default_rng([7, seed])
    means = {"real": 10.0, "synthetic": 10.0 - share * whole, "oracle": 10.0 - whole}
    base = rng.normal(0, 3, (1, hearts))
    return {
        arm: mean
        + base
        + noise * (rng.normal(0, 1, (seeds, hearts)) + rng.normal(0, 1, (1, hearts)))
        + luck * own.normal(0, 1, (seeds, 1))
        for arm, mean in means.items()
    }


def test_it_is_the_ratio_and_its_interval_holds_it():
    found = recovered(tables(0.6, 3.0, 1.0), "synthetic", "real")
    assert found["ci"][0] < found["gain"] < found["ci"][1]
    assert found["gain"] == pytest.approx(0.6, abs=0.2)
    turned = {arm: -table for arm, table in tables(0.6, 3.0, 1.0).items()}
    assert recovered(turned, "synthetic", "real", smaller_is_better=False) == found


@pytest.mark.parametrize("luck", [0.0, 0.3])
def test_the_interval_holds_the_truth_as_often_as_it_says(luck):
    held = [
        low <= 0.6 <= high
        for seed in range(300)
        for low, high in [recovered(tables(0.6, 3.0, 2.0, seed, luck=luck), "synthetic", "real")["ci"]]
    ]
    assert 0.91 <= np.mean(held) <= 0.99


def test_without_a_sure_gain_of_the_oracle_there_is_no_interval():
    assert recovered(tables(0.5, -3.0, 1.0), "synthetic", "real") is None
    assert recovered({"real": np.ones((2, 9))}, "synthetic", "real") is None
    unsure = recovered(tables(0.5, 0.05, 3.0, seed=3), "synthetic", "real")
    assert unsure["ci"] is None and "not sure" in unsure["reason"]
    assert recovered(tables(0.5, 3.0, 0.1, hearts=4), "synthetic", "real")["ci"] is None


def test_where_all_say_the_same_the_interval_is_a_point():
    found = recovered(tables(0.5, 3.0, 0.0), "synthetic", "real")
    assert found["ci"] == (found["gain"], found["gain"]) and found["gain"] == pytest.approx(0.5)
