"""Clips whose frames and masks are read when asked for: the same clips, less work, the same refusals."""

import dataclasses
import pickle

import numpy as np
import pytest
from fakes.cache import assert_same_clip, fake_clip, fake_plan, write_clips

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip
from echo_augment.cache.manifest import SHARDS
from echo_augment.cache.shard.reader import ShardReader
from echo_augment.cache.shard.writer import COMPRESSIONS

CLIPS = [fake_clip(line, masks=k % 2 == 0) for k, line in enumerate(fake_plan(6).lines)]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_lazy_clip_is_the_clip(tmp_path, compression):
    store = write_clips(tmp_path, CLIPS, compression=compression)
    for k, clip in enumerate(CLIPS):
        lazy = store.lazy(k)
        assert lazy.n_frames == 6 and np.array_equal(lazy.take(np.array([5, 0, -1, 0])), clip.frames[[5, 0, -1, 0]])
        assert_same_clip(lazy, clip)
        assert isinstance(lazy, EchoClip) and np.array_equal(lazy.take(np.array([2])), clip.take(np.array([2])))
        assert lazy.frames is lazy.frames and lazy.frames.flags.writeable
        with pytest.raises(IndexError, match="frame 6 of a clip of 6"):
            store.lazy(k).take(np.array([6]))
        assert_same_clip(pickle.loads(pickle.dumps(store.lazy(k))), clip)  # noqa: S301  our own bytes
        assert dataclasses.replace(store.lazy(k), ef=1.0).ef == 1.0


def test_only_what_is_asked_for_is_read(tmp_path, monkeypatch):
    store, read = write_clips(tmp_path, CLIPS), []
    for name in ("frames", "masks"):
        original = getattr(ShardReader, name)
        monkeypatch.setattr(ShardReader, name, lambda self, *a, o=original, n=name: (read.append(n), o(self, *a))[1])
    lazy = store.lazy(0)
    assert lazy.ef == CLIPS[0].ef and lazy.provenance == CLIPS[0].provenance and not read
    lazy.take(np.array([1]))
    assert read == ["frames"]
    assert lazy.masks is lazy.masks and read == ["frames", "masks"]


def test_a_damaged_clip_is_refused_whatever_is_wanted_of_it(tmp_path):
    store = write_clips(tmp_path, CLIPS, compression="none", shard_clips=20)
    path = tmp_path / SHARDS / store.shard_of(0)
    content = bytearray(path.read_bytes())
    content[content.index(CLIPS[2].frames.tobytes()) + 5] ^= 1  # in its first frame
    path.write_bytes(content)
    lazy = ClipStore(tmp_path).lazy(2)
    for use in (lambda: lazy.take(np.array([5])), lambda: lazy.frames):
        with pytest.raises(EchoAugmentError, match=r"does not match its checksum.*action=repair"):
            use()


def test_it_is_read_after_its_file_was_closed_or_replaced(tmp_path):
    store = write_clips(tmp_path, CLIPS, shard_clips=20)
    lazy = store.lazy(1)
    store.close()
    assert_same_clip(lazy, CLIPS[1])
    # The same clips, at other places in the file.
    again = write_clips(tmp_path / "other", CLIPS, shard_clips=20, compression="none")
    store.close()
    path = tmp_path / SHARDS / store.shard_of(0)
    path.write_bytes((tmp_path / "other" / SHARDS / again.shard_of(0)).read_bytes())
    assert_same_clip(store[3], CLIPS[3])
    store.close()
    path.unlink()
    with pytest.raises(EchoAugmentError, match="has gone since the cache was opened"):
        store[3]
