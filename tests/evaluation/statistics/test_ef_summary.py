"""From predictions to the figures of the report."""

import numpy as np
import pytest

from echo_augment.evaluation.statistics.comparison import Precision, Table
from echo_augment.evaluation.statistics.ef_summary import summarise


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(3)
    true = rng.normal(55, 12, 60)
    size = 12 + rng.normal(0, 2, 60)
    arms = {"real": 0.0, "synthetic": -1.0, "oracle": -3.0}
    predicted = {arm: true + size + shift + rng.normal(0, 1, (3, 60)) for arm, shift in arms.items()}
    table = Table([f"v{k}" for k in range(60)], true, predicted)
    return summarise(table, labelled=16, fraction=0.1, precision=Precision(resamples=199))


def test_every_arm_has_its_figures_seed_by_seed(found):
    assert list(found.arms) == ["real", "synthetic", "oracle"]
    for arm in found.arms.values():
        for name in ("mae", "rmse", "r2"):
            assert len(arm[name].per_seed) == 3
            assert np.mean(arm[name].per_seed) == pytest.approx(arm[name].mean)


def test_every_pair_has_its_contrast(found):
    assert list(found.contrasts) == ["synthetic-real", "oracle-real", "synthetic-oracle"]
    mae, arms = found.contrast("synthetic-real", "mae"), found.arms
    assert mae.diff == pytest.approx(arms["synthetic"]["mae"].mean - arms["real"]["mae"].mean)
    assert found.contrast("synthetic-classical", "mae") is None


def test_the_gain_is_told_over_real_and_only_over_arms_that_are_there(found):
    assert found.recovered_gain == pytest.approx(1 / 3, abs=0.1)
    assert found.gains["real"].gain == pytest.approx(found.recovered_gain)
    assert found.gains["classical"] is None


def test_json_has_the_published_keys(found):
    plain = found.to_json()
    keys = {"label_fraction", "labelled_hearts", "arms", "contrasts", "recovered_gain", "gains", "crossings"}
    assert set(plain) == keys
    names = {"mae", "rmse", "r2", "auroc_50", "auroc_40", "wrong_side_50", "wrong_side_40", "calibration", "by_range"}
    assert set(plain["arms"]["real"]) == names
    assert set(plain["contrasts"]["synthetic-real"]["mae"]) == {"diff", "ci", "p", "detectable"}
    assert set(plain["gains"]["real"]) == {"gain", "ci"}
