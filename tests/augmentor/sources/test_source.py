"""What a source promises, kept by each of the four."""

import pickle

import numpy as np
import pytest
from fakes.protocols import breaches

from echo_augment.augmentor import CachedClips, InMemoryClips, LiveClips, MixedClips
from echo_augment.augmentor.sources.source import ClipSource
from echo_augment.cache import EchoClip, Provenance, StoreWriter


def clip(k):
    frames = np.random.default_rng(k).integers(0, 256, (4, 8, 8), dtype=np.uint8)
    return EchoClip(f"c{k}", frames, 12.5, ef=40.0 + k, provenance=Provenance(f"m{k}", "look", k, fingerprint="f1"))


@pytest.fixture
def folder(tmp_path):
    with StoreWriter(tmp_path / "cache", shard_clips=2, fingerprint="f1") as writer:
        for k in range(5):
            writer.add(clip(k))
    return tmp_path / "cache"


def sources(folder):
    in_memory = InMemoryClips((clip(k) for k in range(5)), fingerprint="f1")
    return [CachedClips(folder), in_memory, MixedClips(Dry(), in_memory)]


class Dry:
    """A live source that never has a clip; not started, so that no process is."""

    donors = frozenset()

    def poll(self, turn):
        return None


def test_cached_mixed_and_in_memory_clips_are_the_same_source(folder):
    for source in sources(folder):
        assert len(source) == 5 and source.fingerprint == "f1"
        assert source.ef.dtype == np.float64 and source.ef.tolist() == [40, 41, 42, 43, 44]
        assert source.donors == {"m0", "m1", "m2", "m3", "m4", "look"}
        assert [item.clip_id for item in source] == ["c0", "c1", "c2", "c3", "c4"]
        assert np.array_equal(source[-1].frames, clip(4).frames)
        with pytest.raises(IndexError, match="out of"):
            source[5]


def test_sources_pickle_with_open_files(folder):
    for source in sources(folder):
        assert source[1].ef == 41
        copy = pickle.loads(pickle.dumps(source))  # noqa: S301  our own bytes
        assert np.array_equal(copy[3].frames, source[3].frames)


@pytest.mark.parametrize("kind", [CachedClips, InMemoryClips, LiveClips, MixedClips])
def test_every_source_has_what_a_source_needs(kind):
    assert breaches(ClipSource, object.__new__(kind)) == []


def test_what_may_be_fresh_counts_each_item_as_one_of_three_kinds():
    cached = InMemoryClips(clip(k) for k in range(5))
    mixed = MixedClips(Dry(), cached, fresh=0.5, on_empty="real")
    taken = [mixed.take(index % 5, (0, 0, index)) for index in range(40)]
    assert taken.count((None, "fallback")) + sum(kind == "cached" for _, kind in taken) == 40
    assert 5 < taken.count((None, "fallback")) < 35
    assert [kind for _, kind in taken] == [mixed.take(index % 5, (0, 0, index))[1] for index in range(40)]
