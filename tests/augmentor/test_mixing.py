import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo_augment.augmentor.mixing import item_rng, members, mix_epoch, share_at
from echo_augment.cache.errors import EchoAugmentError

SEEDS = st.integers(0, 2**40)
SHARES = st.floats(0, 1)
EVERYTHING = (-np.inf, np.inf)


def mix(n=20, clips=7, p=0.5, seed=0, epoch=0, extend=False):
    items, deck = [np.arange(n)], [np.arange(clips)]
    return mix_epoch(seed=seed, epoch=epoch, items=items, clips=deck, shares=[p], length=n, extend=extend)


@given(n=st.integers(1, 300), p=SHARES, seed=SEEDS, epoch=st.integers(0, 1000))
def test_the_share_is_met_within_one_item(n, p, seed, epoch):
    made = mix(n=n, p=p, seed=seed, epoch=epoch)
    assert abs(np.count_nonzero(made.clip >= 0) - n * p) < 1
    assert (made.base == np.arange(n)).all()


@given(n=st.integers(1, 300), p=SHARES, more=SHARES, seed=SEEDS)
def test_a_larger_share_keeps_the_items_and_clips_of_a_smaller(n, p, more, seed):
    low, high = sorted((p, more))
    few, many = mix(n=n, p=low, seed=seed), mix(n=n, p=high, seed=seed)
    synthetic = few.clip >= 0
    assert (many.clip[synthetic] == few.clip[synthetic]).all()


@given(n=st.integers(1, 100), clips=st.integers(1, 40), p=SHARES, seed=SEEDS)
def test_no_clip_is_repeated_before_all_were_used(n, clips, p, seed):
    used = mix(n=n, clips=clips, p=p, seed=seed).clip
    counts = np.bincount(used[used >= 0], minlength=clips)
    assert counts.max() - counts.min() <= 1


@given(n=st.integers(1, 200), p=st.floats(0, 0.95), seed=SEEDS)
def test_extend_keeps_the_real_items_and_reaches_the_share(n, p, seed):
    made = mix(n=n, p=p, seed=seed, extend=True)
    extra = len(made.clip) - n
    assert (made.clip[:n] == -1).all() and (made.clip[n:] >= 0).all()
    assert abs(extra - (n + extra) * p) <= 1
    assert ((made.base >= 0) & (made.base < n)).all()


@given(n=st.integers(1, 100), p=SHARES, seed=SEEDS, epoch=st.integers(0, 99))
def test_decisions_are_pure(n, p, seed, epoch):
    one, other = mix(n=n, p=p, seed=seed, epoch=epoch), mix(n=n, p=p, seed=seed, epoch=epoch)
    assert (one.clip == other.clip).all() and (one.base == other.base).all()


def test_seed_and_epoch_change_the_decisions():
    plain = mix(n=200).clip
    assert (mix(n=200, seed=1).clip != plain).any() and (mix(n=200, epoch=1).clip != plain).any()
    assert item_rng(0, 0, 1).random() != item_rng(0, 1, 0).random()


def test_each_item_is_synthetic_as_often_as_the_share_says():
    """Also where the share times the length is below one item: rounding would never choose any."""
    often = np.mean([mix(n=3, p=0.1, epoch=epoch).clip >= 0 for epoch in range(4000)], axis=0)
    assert np.abs(often - 0.1).max() < 0.02


def test_bins_get_their_own_clips_and_shares():
    ef = np.array([10.0, 20, 30, 39.9, 40, 60, 80, 100, np.nan])
    clip_ef = np.array([35.0, 55, 65, 15, 100])
    bins = [(0.0, 40.0), (40.0, 100.0)]
    made = mix_epoch(
        seed=3, epoch=0, items=members(ef, bins), clips=members(clip_ef, bins), shares=[1.0, 0.5], length=len(ef)
    )
    assert (made.clip[:4] >= 0).all() and set(made.clip[:4]) <= {0, 3}
    high = made.clip[4:8]
    assert np.count_nonzero(high >= 0) == 2 and set(high[high >= 0]) <= {1, 2, 4}
    assert made.clip[8] == -1, "an item without EF is in no bin"


@pytest.mark.parametrize(
    ("p", "epoch", "share"),
    [(0.3, 5, 0.3), ([0.0, 0.2, 0.4], 1, 0.2), ([0.0, 0.2, 0.4], 9, 0.4), (lambda epoch: epoch / 10, 3, 0.3)],
)
def test_schedules(p, epoch, share):
    assert share_at(p, epoch) == {EVERYTHING: share}


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (1.3, r"p must be in \[0, 1\], got 1.3"),
        (float("nan"), "got nan"),
        (True, "got True"),
        ("half", "got 'half'"),
        ([], "schedule p is empty"),
        ([0.5, 2], r"p\[1\] must be in \[0, 1\], got 2"),
        (lambda epoch: -1, r"p\(1\) must be in"),
        ({}, "no EF bin"),
        ({(0, 40): 0.5, (30, 60): 0.5}, "overlap"),
        ({(40, 0): 0.5}, "low < high"),
        ({(0, 40): 1.5}, "got 1.5"),
    ],
)
def test_a_bad_share_is_named(p, words):
    with pytest.raises(EchoAugmentError, match=words):
        share_at(p, 1)


def test_extend_cannot_reach_a_share_of_one():
    with pytest.raises(EchoAugmentError, match="p=1 is not possible"):
        mix(p=1.0, extend=True)
