"""Writing a cache: what is sealed when, and what is refused."""

import numpy as np
import pytest
from fakes.cache import FINGERPRINT, assert_same_clip, fake_clip, fake_plan, write_clips

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, Provenance, StoreWriter
from echo_augment.cache.manifest import SHARDS


@pytest.fixture
def clips():
    return [fake_clip(line, masks=k % 2 == 0) for k, line in enumerate(fake_plan(11).lines)]


def test_clips_of_several_lengths_live_in_one_cache(tmp_path):
    lines = fake_plan(6).lines
    clips = [fake_clip(line, shape=(3 + k % 2, 8, 8 + k % 3)) for k, line in enumerate(lines)]
    store = write_clips(tmp_path, clips)
    assert [clip.frames.shape for clip in store] == [clip.frames.shape for clip in clips]


def test_nothing_is_visible_before_it_is_sealed(tmp_path, clips):
    with StoreWriter(tmp_path, fingerprint=FINGERPRINT, shard_clips=4) as writer:
        for clip in clips[:6]:
            writer.add(clip)
        assert len(ClipStore(tmp_path)) == 4
        assert len(list((tmp_path / SHARDS).iterdir())) == 1
    assert len(ClipStore(tmp_path)) == 6
    assert all(path.name.startswith("clips-") for path in (tmp_path / SHARDS).iterdir())


def test_discard_leaves_no_file(tmp_path, clips):
    writer = StoreWriter(tmp_path, fingerprint=FINGERPRINT)
    writer.add(clips[0])
    writer.discard()
    assert not list((tmp_path / SHARDS).iterdir())


def test_old_shards_are_sealed_by_time(tmp_path, clips):
    with StoreWriter(tmp_path, fingerprint=FINGERPRINT, seal_seconds=-1) as writer:
        writer.add(clips[0])
        assert len(ClipStore(tmp_path)) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"clip_id": ""}, "without an id"),
        ({"clip_id": "a\0"}, "no zero byte"),
        ({"clip_id": "a" * 5000}, "at most 4096"),
        ({"provenance": Provenance("a", "b", 2**63, fingerprint=FINGERPRINT)}, "more than 63 bits"),
        ({"provenance": Provenance("a", "b", 1, fingerprint=FINGERPRINT, extra={"x": float("nan")})}, "not plain JSON"),
        ({"provenance": Provenance("a", "b", 1, fingerprint="other")}, "has fingerprint 'other'"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_harms_nothing(tmp_path, clips, values, message):
    bad = {"clip_id": "x", "frames": clips[0].frames, "fps": 1.0} | values
    with StoreWriter(tmp_path, fingerprint=FINGERPRINT) as writer:
        writer.add(clips[0])
        with pytest.raises(EchoAugmentError, match=message):
            writer.add(EchoClip(**bad))
        writer.add(clips[1])
    assert [clip.clip_id for clip in ClipStore(tmp_path)] == [clip.clip_id for clip in clips[:2]]


@pytest.mark.parametrize(
    ("values", "message"), [({"compression": "brotli"}, "got 'brotli'"), ({"shard_clips": 0}, "got 0")]
)
def test_bad_settings_are_refused_at_once(tmp_path, values, message):
    with pytest.raises(EchoAugmentError, match=message):
        StoreWriter(tmp_path, **values)


def test_clips_of_like_lengths_share_a_shard(tmp_path):
    clips = [fake_clip(line, shape=(3 + k, 8, 8)) for k, line in enumerate(fake_plan(6).lines)]
    store = write_clips(tmp_path, clips, shard_clips=20, round_frames=8)
    assert len(store.shards) == 1
    for k, clip in enumerate(clips):
        assert_same_clip(store[k], clip)
        assert np.array_equal(store.read_frames(k, [-1]), clip.frames[-1:])


def test_open_shards_never_hold_more_than_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("echo_augment.cache.writer.OPEN_BYTES", 300_000)
    clips = [fake_clip(line, shape=(6 + k, 64, 64)) for k, line in enumerate(fake_plan(12).lines)]
    with StoreWriter(tmp_path, fingerprint=FINGERPRINT) as writer:
        for clip in clips:
            writer.add(clip)
            assert sum(shard.size for shard, _ in writer._shards.values()) <= 300_000
    assert len(ClipStore(tmp_path)) == 12
