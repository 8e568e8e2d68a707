"""Writing a shard: filters, blocks, bounds."""

import h5py
import numpy as np
import pytest
from fakes.cache import assert_same_clip, fake_clip, fake_plan, write_clips

from echo_augment.cache import EchoAugmentError, EchoClip
from echo_augment.cache.manifest import SHARDS
from echo_augment.cache.shard.writer import ShardWriter


@pytest.fixture
def clips():
    return [fake_clip(line, masks=k % 2 == 0) for k, line in enumerate(fake_plan(11).lines)]


def test_gzip_and_none_read_without_the_plugin(tmp_path, clips):
    for compression, filters in (("gzip", {"1"}), ("none", set())):
        write_clips(tmp_path / compression, clips, compression=compression)
        for path in (tmp_path / compression / SHARDS).iterdir():
            with h5py.File(path) as file:
                found = {
                    str(file[name].id.get_create_plist().get_filter(0)[0])
                    for name in ("frames", "masks")
                    if file[name].id.get_create_plist().get_nfilters()
                }
                assert found == filters


def test_a_shard_of_one_block_a_clip_is_read(tmp_path, clips, monkeypatch):
    """As earlier versions wrote them."""
    monkeypatch.setattr("echo_augment.cache.shard.writer.block_bytes", lambda item: 1 << 24)
    for clip, other in zip(write_clips(tmp_path, clips), clips, strict=True):
        assert_same_clip(clip, other)


@pytest.fixture
def shard(tmp_path):
    writer = ShardWriter(tmp_path, (6, 24, 24), capacity=2)
    yield writer
    writer.discard()


def test_a_full_shard_takes_no_more(shard, clips):
    for clip in clips[:2]:
        shard.add(clip)
    with pytest.raises(EchoAugmentError, match="full with 2 clips"):
        shard.add(clips[2])


def test_a_clip_of_another_shape_does_not_fit(shard):
    with pytest.raises(EchoAugmentError, match=r"\(7, 24, 24\) does not fit a shard of \(6, 24, 24\)"):
        shard.add(EchoClip("long", np.zeros((7, 24, 24), np.uint8), 25.0))


def test_an_empty_shard_is_not_sealed(shard):
    with pytest.raises(EchoAugmentError, match="empty shard"):
        shard.seal()


def test_the_name_of_a_shard_follows_from_its_content(tmp_path, clips):
    names = []
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        shard = ShardWriter(tmp_path / folder, (6, 24, 24), capacity=3)
        for clip in clips[:3]:
            shard.add(clip)
        names.append(shard.seal().name)
    assert names[0] == names[1]
