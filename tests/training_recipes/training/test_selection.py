"""Which weights are kept: the smallest error on VAL, or the latest that VAL cannot tell from it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.training.selection import keep


def chosen(rule, curve):
    """Place of the weights kept after all of ``curve (K, N)``."""
    best, place = None, None
    for k, errors in enumerate(curve):
        kept, best = keep(rule, torch.tensor(errors, dtype=torch.float64), best)
        place = k if kept else place
    return place


curves = st.integers(2, 20).flatmap(
    lambda hearts: st.lists(st.lists(st.floats(0, 50), min_size=hearts, max_size=hearts), min_size=1, max_size=8)
)


@given(curves)
def test_smallest_is_the_first_smallest_mean(curve):
    means = [float(torch.tensor(errors, dtype=torch.float64).mean()) for errors in curve]
    assert chosen("smallest", curve) == int(np.argmin(means))


@given(curves)
def test_one_se_is_the_latest_within_a_standard_error_of_the_smallest(curve):
    found = np.array(curve)
    worse = found - found[chosen("smallest", curve)]
    allowed = worse.std(1, ddof=1) / np.sqrt(found.shape[1])
    place = chosen("one_se", curve)
    assert worse[place].mean() <= allowed[place] + 1e-9
    assert all(worse[k].mean() > allowed[k] - 1e-9 for k in range(place + 1, len(curve)))


def test_few_hearts_do_not_choose_a_net_that_has_hardly_learned_and_many_do_not_lose_the_best():
    rng = np.random.default_rng(0)
    truth = np.linspace(6.0, 5.0, 8)  # ever better
    late = [chosen("one_se", truth[:, None] + rng.normal(0, 4, (8, 16))) for _ in range(200)]
    early = [chosen("smallest", truth[:, None] + rng.normal(0, 4, (8, 16))) for _ in range(200)]
    assert np.mean(late) > np.mean(early) + 1.5
    rising = np.array([9.0, 5.0, 7.0, 9.0])
    assert {chosen("one_se", rising[:, None] + rng.normal(0, 4, (4, 2000))) for _ in range(50)} == {1}


def test_errors_that_are_no_numbers_are_never_kept():
    assert chosen("one_se", [[np.nan, 1.0], [9.0, 9.0], [np.inf, 1.0]]) == 1
    assert chosen("one_se", [[np.nan, np.nan]]) is None


def test_one_error_alone_is_the_smallest_rule():
    assert chosen("one_se", [[3.0], [1.0], [1.5]]) == 1


def test_other_rules_are_refused_before_any_training():
    with pytest.raises(EchoAugmentError, match="selection must be one of smallest, one_se, got 'last'"):
        keep("last", torch.ones(3), None)
