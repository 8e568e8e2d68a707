"""Fresh clips among a stock: which ones is a pure function, and each comes and goes."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.arms.synthetic_clips import RenewedClips, ef_bins, filled_bins


class Numbers(list):
    """A source whose clips are their numbers."""

    fingerprint, donors = "print", ("a",)

    @property
    def ef(self):
        return np.arange(len(self), dtype=float)


def renewed(fresh: float, clips: int = 110, **more) -> RenewedClips:
    settings = {"stock": 10, "reuse": 4.0, "items": 16, "p": 0.5, **more}
    return RenewedClips(Numbers(range(clips)), fresh=fresh, **settings)


def taken(source: RenewedClips, epochs: int = 50) -> list[tuple[int, str]]:
    """What the synthetic items, every second one, get in so many epochs."""
    return [source.take(index // 2, (0, epoch, index)) for epoch in range(epochs) for index in range(0, 16, 2)]


def test_the_share_of_fresh_clips_is_as_asked():
    for fresh in (0.0, 0.25, 1.0):
        kinds = Counter(kind for _, kind in taken(renewed(fresh)))
        assert kinds["fresh"] / kinds.total() == pytest.approx(fresh, abs=0.07)


def test_cached_clips_are_of_the_stock_and_fresh_ones_never_come_back():
    found = taken(renewed(0.5))
    assert {clip for clip, kind in found if kind == "cached"} == set(range(8))
    fresh = [clip for clip, kind in found if kind == "fresh"]
    assert fresh == sorted(fresh) and min(fresh) >= 10
    assert len(fresh) / len(set(fresh)) == pytest.approx(4, abs=1)


def test_it_begins_anew_where_all_fresh_clips_were_served():
    fresh = [clip for clip, _ in taken(renewed(1.0, clips=20))]
    assert set(fresh) == set(range(10, 20)) and fresh != sorted(fresh)


def test_the_same_item_gets_the_same_clip_whoever_asks_in_whatever_order():
    assert taken(renewed(0.5)) == taken(renewed(0.5))
    one, other = renewed(0.5), renewed(0.5)
    keys = [(0, epoch, index) for epoch in range(5) for index in range(16)]
    assert {key: one.take(0, key) for key in keys} == {key: other.take(0, key) for key in reversed(keys)}


def test_it_looks_like_a_source_of_its_stock():
    source = renewed(0.5)
    assert (len(source), source.ef.tolist(), source.fingerprint, set(source.donors)) == (
        10, list(range(10)), "print", {"a"}
    )  # fmt: skip


@pytest.mark.parametrize("wrong", [{"fresh": 1.5}, {"reuse": 0.5}, {"stock": 110}, {"stock": 0}])
def test_values_out_of_range_are_named(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(EchoAugmentError, match=f"{name} must be .*{value}"):
        renewed(**{"fresh": 0.5, **wrong})


def test_an_arm_without_a_stock_has_no_fresh_clips(monkeypatch):
    from echo_augment.training_recipes.arms import synthetic_clips as arms

    monkeypatch.setattr(arms, "ClipsOfMotionDonors", lambda *_, **__: Numbers(range(8)))
    monkeypatch.setattr(arms, "CachedClips", lambda folder, exclude=None: folder)
    given = SimpleNamespace(caches={"synthetic": "x"}, labelled=(), seed=0, real=[0], all_known=False)
    with pytest.raises(EchoAugmentError, match="needs a stock"):
        arms.synthetic(given, fresh=0.5)


def test_bins_of_ef_are_read_and_those_without_clips_are_left_out_with_a_word():
    shares = ef_bins({"0-40": 0.8, "40-100": 0.4})
    assert shares == {(0, 40): 0.8, (40, 100): 0.4}
    assert filled_bins(shares, np.array([20.0, 60.0])) == shares
    with pytest.warns(UserWarning, match="EF of 0 to 40 percent"):
        assert filled_bins(shares, np.array([60.0])) == {(0, 40): 0.0, (40, 100): 0.4}
    with pytest.raises(EchoAugmentError, match="bin 'low'"):
        ef_bins({"low": 0.5})
