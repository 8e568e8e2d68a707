"""EF adherence and errors of the label on cases with a known answer."""

from itertools import pairwise

import numpy as np
import pytest

from echo_augment.evaluation.fidelity.adherence import adherence, by_quarter, by_size


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def efs():
    rng = np.random.default_rng(0)
    return rng.normal(56, 12, 400), rng.normal(56, 12, 400), rng.normal(0, 3, 400)


def test_a_faithful_generator_has_motion_weight_one(efs):
    motion, appearance, noise = efs
    figures = adherence(motion + noise, motion, appearance)
    assert figures.motion_weight == pytest.approx(1, abs=0.05)
    assert figures.appearance_weight == pytest.approx(0, abs=0.05)
    assert figures.r2 > 0.9 and figures.mae == pytest.approx(3 * np.sqrt(2 / np.pi), abs=0.3)


def test_a_copier_of_the_appearance_donor_is_found_out(efs):
    motion, appearance, noise = efs
    figures = adherence(appearance + noise, motion, appearance)
    assert figures.appearance_weight > 0.9 and abs(figures.motion_weight) < 0.1 and figures.r2 < 0


def test_a_still_clip_reads_the_same_ef_for_all(efs):
    figures = adherence(np.full(400, 30.0), efs[0], efs[1])
    assert figures.r == 0 and figures.r2 < 0 and figures.bias < -20


def test_quarters_are_sorted_and_hold_every_clip(rng):
    truth = rng.uniform(20, 80, 42)
    read = np.where(truth > np.median(truth), truth + 5, truth)
    quarters = by_quarter(truth, read, truth)
    assert sum(part.n for part in quarters) == 42 and quarters[0].low == truth.min()
    assert [round(part.bias) for part in quarters] == [0, 0, 5, 5]
    assert all(before.high <= after.low for before, after in pairwise(quarters))


def test_absolute_motion_shows_as_a_slope_over_the_ratio_of_sizes(rng):
    ratio, truth = 2 ** rng.uniform(-1, 1, 300), rng.uniform(30, 70, 300)
    absolute = by_size(ratio, truth + 6 * np.log2(ratio) + rng.normal(0, 1, 300), truth)
    relative = by_size(ratio, truth + rng.normal(0, 1, 300), truth)
    assert absolute.slope == pytest.approx(6, abs=0.5) and absolute.r > 0.9
    assert abs(relative.slope) < 0.5 and absolute.quarters[0].bias < -3 < 3 < absolute.quarters[3].bias
