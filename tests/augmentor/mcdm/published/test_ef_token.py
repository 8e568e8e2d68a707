"""The EF that a generator is told is the clip's label."""

import pytest
import torch

from echo_augment.augmentor.mcdm.published.ef_token import EFToken, ef_token, token_of
from echo_augment.cache import EchoAugmentError, PlanLine


def line(seed: int) -> PlanLine:
    return PlanLine(f"c{seed}", "low", "high", seed=seed)


def test_the_tables_ef_is_the_motion_donors():
    label = EFToken().label(line(3), {"low": 31.5, "high": 64.0})
    assert (label.ef, label.ed_frame, label.es_frame, label.policy) == (31.5, -1, -1, "donor")


def test_a_drawn_ef_is_spread_over_its_range_and_a_function_of_the_line():
    token = EFToken("uniform", 20, 60)
    drawn = [token.label(line(seed), {}).ef for seed in range(400)]
    assert 20 <= min(drawn) < 22 and 58 < max(drawn) < 60 and abs(sum(drawn) / 400 - 40) < 2
    assert drawn[:5] == [token.label(line(seed), {}).ef for seed in range(5)]
    assert token.label(line(0), {}).policy == "drawn"


def test_the_token_is_a_share():
    assert torch.equal(token_of(65.0), torch.tensor([[0.65]]))


@pytest.mark.parametrize("bad", [("table2",), ("uniform", -1, 50), ("uniform", 50, 50), ("uniform", 60, 40)])
def test_what_is_none_is_refused(bad):
    with pytest.raises(EchoAugmentError, match="ef"):
        EFToken(*bad)


def test_only_a_generator_that_is_told_an_ef_takes_one():
    assert ef_token("ef", None) == EFToken() and ef_token("vector", None) is None
    with pytest.raises(EchoAugmentError, match=r"ef=uniform is for .*told a motion \(vector\)"):
        ef_token("vector", EFToken("uniform"))


def test_its_words_say_all_that_decides_it():
    assert str(EFToken()) == "table" and str(EFToken("uniform", 15, 85)) == "uniform 15 to 85"
