import io
import json
import tarfile

import numpy as np
import pytest
from fakes.cache import FINGERPRINT, fake_plan, generate

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, StoreWriter, export_webdataset
from echo_augment.cache.export import key_of


@pytest.fixture
def store(tmp_path):
    with StoreWriter(tmp_path / "cache", fingerprint=FINGERPRINT) as writer:
        for clip in generate(fake_plan(7).lines):
            writer.add(clip)
        writer.add(EchoClip("../odd.name/é", np.full((3, 8, 8), 7, np.uint8), 20.0, provenance=clip.provenance))
    return ClipStore(tmp_path / "cache")


def test_a_plain_tar_reader_reads_it_back(store, tmp_path):
    names = export_webdataset(store, tmp_path / "out", shard_clips=3)
    assert names == [f"clips-{k:06d}.tar" for k in range(3)]
    seen = {}
    for name in names:
        with tarfile.open(tmp_path / "out" / name) as tar:
            for member in tar:
                key, _, kind = member.name.partition(".")
                assert "/" not in member.name and member.isfile()
                file = io.BytesIO(tar.extractfile(member).read())
                value = json.load(file) if kind == "json" else np.lib.format.read_array(file, allow_pickle=False)
                seen.setdefault(key, {})[kind] = value
    assert len(seen) == len(store) == 8
    for clip in store:
        found = seen[key_of(clip.clip_id)]
        assert found["json"]["clip_id"] == clip.clip_id and found["json"]["provenance"] == clip.provenance.to_json()
        assert found["json"]["ef"] == (None if np.isnan(clip.ef) else clip.ef) and found["json"]["fps"] == clip.fps
        assert np.array_equal(found["frames.npy"], clip.frames) and found["frames.npy"].dtype == np.uint8
        assert ("masks.npy" in found) == (clip.masks is not None)
        if clip.masks is not None:
            assert np.array_equal(found["masks.npy"], clip.masks)
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index == {"shards": names, "clips": 8, "fingerprint": FINGERPRINT}
    export_webdataset(store, tmp_path / "again", shard_clips=3)
    assert all((tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)


def test_the_webdataset_package_reads_it(store, tmp_path):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    names = export_webdataset(store, tmp_path / "out", shard_clips=5)
    urls = [str(tmp_path / "out" / name) for name in names]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode().to_tuple("__key__", "frames.npy", "json"))
    assert [key for key, _, _ in samples] == [key_of(name) for name in store.ids]
    for (_, frames, labels), clip in zip(samples, store, strict=True):
        assert np.array_equal(frames, clip.frames) and labels["clip_id"] == clip.clip_id


def test_what_is_refused(store, tmp_path):
    with pytest.raises(EchoAugmentError, match="got 0"):
        export_webdataset(store, tmp_path / "out", shard_clips=0)
    export_webdataset(store, tmp_path / "out")
    with pytest.raises(EchoAugmentError, match="holds tar shards already"):
        export_webdataset(store, tmp_path / "out")
