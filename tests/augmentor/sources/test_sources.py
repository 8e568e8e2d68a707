import pickle

import numpy as np
import pytest

from echo_augment.augmentor import CachedClips, InMemoryClips
from echo_augment.cache import EchoClip, Provenance, StoreWriter
from echo_augment.cache.errors import EchoAugmentError


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
    return [CachedClips(folder), InMemoryClips((clip(k) for k in range(5)), fingerprint="f1")]


def test_cached_and_in_memory_clips_are_the_same_source(folder):
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


def test_a_cached_source_stays_as_it_was_while_a_fill_goes_on(folder):
    source = CachedClips(folder)
    with StoreWriter(folder, fingerprint="f1") as writer:
        writer.add(clip(9))
    assert len(source) == 5 and len(CachedClips(folder)) == 6


def test_a_missing_cache_is_named(tmp_path):
    with pytest.raises(EchoAugmentError, match="nowhere"):
        CachedClips(tmp_path / "nowhere")
