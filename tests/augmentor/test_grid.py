"""Promises 1, 2 and 8 under every start method, number of workers and kind of worker; shapes and targets are drawn."""

import random
import warnings
from itertools import product

import numpy as np
import pytest
import torch
from fakes.echo import TARGETS, FakeEcho, make_clip, same
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from echo_augment.augmentor import CachedClips, LiveClips, MixedClips, SyntheticAugment
from echo_augment.augmentor.wrapping import difference
from echo_augment.cache import StoreWriter

METHODS = [name for name in ("fork", "forkserver", "spawn") if name in torch.multiprocessing.get_all_start_methods()]
SHAPES = st.fixed_dictionaries(
    {
        "n": st.integers(3, 9),
        "target_type": st.lists(st.sampled_from(TARGETS), max_size=4, unique=True),
        "length": st.one_of(st.none(), st.integers(1, 24)),
        "period": st.integers(1, 5),
        "max_length": st.sampled_from([None, 6, 250]),
        "clips": st.sampled_from([1, 2, "all"]),
        "pad": st.sampled_from([None, 2]),
        "noise": st.sampled_from([None, 0.1]),
    }
)
MIXES = st.fixed_dictionaries(
    {
        "p": st.one_of(st.floats(0, 0.9), st.just([0.2, 0.8]), st.just({(0, 25): 0.9, (25, 100): 0.3})),
        "mode": st.just("replace"),
        "seed": st.integers(0, 2**31),
        "weights": st.booleans(),
        "provenance": st.booleans(),
    }
)


class Several(Dataset):
    """Datasets one after another, so that one set of workers serves many drawn shapes."""

    def __init__(self, parts):
        self.parts = parts
        self.places = [(part, index) for part, one in enumerate(parts) for index in range(len(one))]

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        part, place = self.places[index]
        state = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()
        sample = self.parts[part][place]
        after = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()
        assert state == after, "a global random state was advanced"
        return sample

    def set_epoch(self, epoch):
        for part in self.parts:
            part.set_epoch(epoch)


def epochs(parts, workers, method=None, persistent=False):
    """All samples of two epochs, and the counts."""
    several = Several(parts)
    options = {"multiprocessing_context": method, "persistent_workers": persistent} if workers else {}
    loader = DataLoader(several, batch_size=None, num_workers=workers, **options)
    samples, counts = [], []
    for epoch in range(2):
        several.set_epoch(epoch)
        samples.append(list(loader))
        counts.append([part.stats() for part in parts])
    return samples, counts


def plain(sample):
    """Tensors as arrays, lists as tuples: what ``default_convert`` changes on the way."""
    if isinstance(sample, torch.Tensor):
        return sample.numpy()
    if isinstance(sample, dict):
        return tuple(sample.items())
    return tuple(plain(part) for part in sample) if isinstance(sample, tuple | list) else sample


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with StoreWriter(folder, shard_clips=4) as writer:
        for number in range(10):
            writer.add(make_clip(number))
    return folder


def check(cache, drawn, cells):
    def parts():
        return [SyntheticAugment(FakeEcho(**shape), CachedClips(cache), **mix) for shape, mix in drawn]

    expected, counted = epochs(parts(), 0)
    for (shape, mix), one in zip(drawn, parts(), strict=True):
        full = SyntheticAugment(FakeEcho(**shape), CachedClips(cache), **{**mix, "p": 1.0})
        fixed = shape["length"] is not None and shape["clips"] != "all"
        bare = SyntheticAugment(FakeEcho(**shape), CachedClips(cache), **{**mix, "p": 0.0})
        assert difference(bare[0], full[0], shapes=fixed) is None
        assert len(one) == shape["n"]
    for workers, method, persistent in cells:
        made, counts = epochs(parts(), workers, method, persistent)
        assert counts == counted, (workers, method, persistent)
        for one, other in zip(made, expected, strict=True):
            assert all(same(plain(a), plain(b)) for a, b in zip(one, other, strict=True)), (workers, method, persistent)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("method", METHODS)
def test_items_and_counts_are_the_same_everywhere(cache, method):
    """Promises 1 and 2: ten drawn datasets served by the same workers, {0, 1, 4} x persistent or not."""
    torch.multiprocessing.get_context("forkserver").set_forkserver_preload(["echo_augment.augmentor"])
    cells = [(workers, method, persistent) for workers, persistent in product((1, 4), (False, True))]

    @seed(METHODS.index(method))
    @settings(
        max_examples=3 if method == "fork" else 1,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn=st.lists(st.tuples(SHAPES, MIXES), min_size=10, max_size=10))
    def run(drawn):
        check(cache, drawn, cells)

    run()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("method", METHODS)
def test_training_goes_on_everywhere_when_the_generator_is_slow_or_dead(cache, method):
    """Promise 8: which items are cached, and that none is missing, does not depend on the generator or the workers."""
    from fakes import live as live_fakes

    names, seen = {}, []
    for factory in (live_fakes.never, live_fakes.dies):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            live = LiveClips(
                factory,
                live_fakes.LINES,
                slots=4,
                shape=(16, 16, 16),
                start_method="fork" if method == "fork" else method,
            )
            with live:
                for workers, persistent in ((0, False), *product((1, 4), (False, True))):
                    mixed = MixedClips(live, CachedClips(cache), fresh=0.5)
                    train = SyntheticAugment(FakeEcho(target_type="Filename"), mixed, p=0.5, seed=1)
                    samples, counts = epochs([train], workers, method, persistent)
                    for epoch in range(2):
                        served = [name for _, name in samples[epoch]]
                        assert names.setdefault(epoch, served) == served
                        assert counts[epoch][0]["real"] == 6 and counts[epoch][0]["fresh"] == 0
                        seen.append(counts[epoch][0]["fallback"])
                        assert counts[epoch][0]["cached"] + counts[epoch][0]["fallback"] == 6
    assert any(seen)
