"""Fresh clips among cached ones: decided by seed, epoch and index; falls back where nothing is ready."""

import numpy as np
import pytest
from fakes import live as live_fakes
from fakes.echo import FakeEcho, make_clip
from fakes.live import live, until

from echo_augment.augmentor import InMemoryClips, MixedClips, SyntheticAugment
from echo_augment.cache.errors import EchoAugmentError

CACHED = InMemoryClips(make_clip(seed) for seed in range(10))


@pytest.mark.parametrize(("on_empty", "cached_items"), [("cached", 12), ("real", None)])
def test_mixed_decides_by_seed_epoch_and_index_and_falls_back(on_empty, cached_items):
    def run(factory):
        with live(factory, max_reuse=100) as source:
            if factory is live_fakes.fast:
                assert source.ready(1)
            mixed = MixedClips(source, CACHED, fresh=0.5, on_empty=on_empty)
            train = SyntheticAugment(FakeEcho(target_type="Filename"), mixed, p=1.0)
            return [sample[1] for sample in train], train.stats()

    names, counts = run(live_fakes.fast)
    dry, dry_counts = run(live_fakes.never)
    assert 0 < counts["fresh"] < 12 and counts["cached"] == 12 - counts["fresh"] and counts["fallback"] == 0
    assert dry_counts["fallback"] == counts["fresh"] and dry_counts["fresh"] == 0
    for name, other in zip(names, dry, strict=True):
        if name.startswith("clip"):
            assert other == name, "a cached item stays what it is"
        else:
            assert other.startswith("clip" if cached_items else "real")


def test_mixed_waits_only_while_the_generator_lives():
    with live(live_fakes.slow) as source:
        train = SyntheticAugment(FakeEcho(), MixedClips(source, CACHED, fresh=1.0, on_empty="wait"), p=1.0)
        assert len(list(train)) == 12 and train.stats()["fresh"] == 12
    assert until(lambda: source.stats()["state"] == "stopped")
    train.set_epoch(1)
    train.set_epoch(2)
    assert len(list(train)) + len(list(train)) + len(list(train)) == 36 and train.stats()["fallback"] > 0


def test_a_share_out_of_range_is_named():
    with pytest.raises(EchoAugmentError, match=r"fresh must be in \[0, 1\], got 2"):
        MixedClips(CACHED, CACHED, fresh=2)


def test_where_nothing_is_ready_only_the_ways_it_knows_are_taken():
    with pytest.raises(EchoAugmentError, match="on_empty must be one of cached, real, wait, got 'none'"):
        MixedClips(CACHED, CACHED, on_empty="none")


def test_only_items_that_ask_for_a_fresh_clip_have_no_known_ef():
    with live(live_fakes.never) as source:
        train = SyntheticAugment(FakeEcho(), MixedClips(source, CACHED, fresh=0.5), p=1.0)
        for epoch in (0, 1):
            train.set_epoch(epoch)
            known = train.weights()
            asks = [train.source.wants_fresh((0, epoch, place)) for place in range(12)]
            assert np.isnan(known).tolist() == asks and 0 < sum(asks) < 12
            served = [float(train[place][1]) for place in range(12)]
            assert all(ef == served[place] for place, ef in enumerate(known) if not np.isnan(ef))
