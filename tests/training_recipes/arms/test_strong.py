"""C-mixup: who is mixed with whom, and what comes out."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from fakes.echo import FakeEcho

from echo_augment.augmentor import ClassicalAugment
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.arms.strong import MixedUp, classical_strong, mixup

EF = [20.0, 21.0, 40.0, 60.0, 61.0, 62.0]


def items(n=6):
    return [(np.full((3, 2, 4, 4), ef, np.float32), np.float32(ef)) for ef in EF[:n]]


def test_clip_and_ef_are_mixed_alike():
    mixed = MixedUp(items(), EF, seed=3)
    for epoch in range(3):
        mixed.set_epoch(epoch)
        for index in range(len(mixed)):
            clip, ef = mixed[index]
            partner, weight = mixed.choose(index)
            assert clip.dtype == np.float32 and type(ef) is np.float32 and clip.shape == (3, 2, 4, 4)
            assert partner != index and 0 <= weight <= 1
            assert ef == pytest.approx(weight * EF[index] + (1 - weight) * EF[partner], abs=1e-4)
            assert np.allclose(clip, ef, atol=1e-4)


def partners(index, **settings):
    mixed, found = MixedUp(items(), EF, seed=1, **settings), Counter()
    for epoch in range(2000):
        mixed.set_epoch(epoch)
        found[mixed.choose(index)[0]] += 1
    return found


def test_partners_are_near_in_ef():
    near, wide = partners(3, bandwidth=1.0), partners(3, bandwidth=1000.0)
    assert set(near) == {4, 5} and near[4] / near[5] == pytest.approx(np.exp(-0.5 + 2), rel=0.2)
    assert set(wide) == {0, 1, 2, 4, 5} and min(wide.values()) > 300
    assert set(partners(2, bandwidth=0.001)) == {1}, "the nearest one, however far away"


def test_a_share_is_mixed_and_draws_are_of_seed_epoch_and_index():
    half = MixedUp(items(), EF, p=0.5, seed=1)
    chosen = []
    for epoch in range(200):
        half.set_epoch(epoch)
        chosen += [half.choose(index)[0] >= 0 for index in range(len(half))]
        assert all(half[index][1] == EF[index] for index in range(len(half)) if half.choose(index)[0] < 0)
    assert np.mean(chosen) == pytest.approx(0.5, abs=0.05)
    again, other = MixedUp(items(), EF, seed=1), MixedUp(items(), EF, seed=2)
    assert [again.choose(k) for k in range(6)] == [MixedUp(items(), EF, seed=1).choose(k) for k in range(6)]
    assert [again.choose(k) for k in range(6)] != [other.choose(k) for k in range(6)]
    alone = MixedUp(items(1), EF[:1])
    assert alone.choose(0) == (-1, 1.0) and alone[0][1] == 20


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"bandwidth": 0}, "bandwidth must be"), ({"alpha": -1}, "alpha must be"), ({"p": 2}, "p must be in")],
)
def test_values_out_of_range_are_named(wrong, message):
    with pytest.raises(EchoAugmentError, match=message):
        MixedUp(items(), EF, **wrong)


def test_items_without_an_ef_or_with_other_targets_are_refused():
    with pytest.raises(EchoAugmentError, match="EF of each of its 6 items"):
        MixedUp(items(), [*EF[:5], np.nan])
    traced = [(clip, (ef, ef)) for clip, ef in items()]
    with pytest.raises(EchoAugmentError, match="something else"):
        MixedUp(traced, EF)[0]


def test_the_arms_wrap_the_labelled_clips_in_strong_augmentation():
    given = SimpleNamespace(real=FakeEcho(n=6), seed=4)
    strong = classical_strong(given, p=0.25, amount=0.5)
    assert (type(strong), strong.strength, strong.amount, strong.p, strong.seed) == (
        ClassicalAugment,
        "strong",
        0.5,
        0.25,
        4,
    )
    mixed = mixup(given, bandwidth=2.0)
    assert mixed.base.strength == "strong" and mixed.ef.tolist() == [20, 21, 22, 23, 24, 25]
    mixed.set_epoch(5)
    assert mixed.base.epoch == given.real.epoch == 5
    assert mixup(given, classical_p=0.0).base is given.real
