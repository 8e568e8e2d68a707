"""A packed dataset gives the samples of its videos, bit for bit, and is no source of synthetic clips."""

import pickle
import shutil

import numpy as np
import pytest

from echo_augment.augmentor import CachedClips
from echo_augment.augmentor.data import EchoNetDynamic, content_hash, packing, read_table, read_video, video
from echo_augment.augmentor.data.packing import REAL, pack, packed_hashes
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, Provenance, StoreWriter, info, verify
from echo_augment.cache.export import export_echonet
from echo_augment.cache.manifest import SHARDS

TARGETS = [
    *("Filename", "EF", "EDV", "ESV", "LargeIndex", "SmallIndex"),
    *("LargeFrame", "SmallFrame", "LargeTrace", "SmallTrace", "FPS", "Split"),
]
FORMS = [
    {"length": 8},
    {"length": 32, "mean": 32.7, "std": 49.9, "pad": 5},
    {"length": 64, "period": 1, "mean": np.array([30.0, 31.0, 32.0]), "std": [50, 51, 52], "noise": 0.1},
    {"length": None, "period": 3, "clips": 2, "mean": 20},
    {"length": 16, "clips": "all", "mean": 1.5, "std": 2},
]


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    else:
        assert one == other


def assert_samples_alike(root, store, **form):
    files = EchoNetDynamic(root, "all", TARGETS, require_tracings=True, **form)
    packed = EchoNetDynamic(root, "all", TARGETS, require_tracings=True, store=store, **form)
    assert len(files) == len(packed) > 0
    for epoch in range(2):
        files.set_epoch(epoch), packed.set_epoch(epoch)
        for index in range(len(files)):
            assert_same(files[index], packed[index])


@pytest.fixture(scope="module")
def packed(good, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    result = pack(good, folder)
    assert (result.wanted, result.packed, result.new, result.skipped) == (6, 6, 6, ()) and verify(folder) == []
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_samples_equal_those_of_the_files(good, packed, form):
    assert_samples_alike(good, packed, **form)


def test_samples_of_real_echocardiograms_equal_those_of_the_files(mini, tmp_path):
    result = pack(mini, tmp_path)
    assert result.packed == result.wanted and result.skipped == ()
    for form in FORMS[:3]:
        assert_samples_alike(mini, tmp_path, **form)
    tinted = [index for index in range(result.packed) if "red" in ClipStore(tmp_path)[index].provenance.extra]
    assert tinted  # EchoNet's own files are not quite neutral


def test_no_video_is_decoded(good, packed, monkeypatch):
    monkeypatch.setattr(video.VideoFile, "read", None)
    data = EchoNetDynamic(good, store=packed, length=8)
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301  our own bytes
    assert_same(data[0][0], copy[0][0])


def test_hashes_are_those_of_the_leak_guard(good, packed):
    assert packed_hashes(packed) == {row.name: content_hash(row.path) for row in read_table(good).rows}


def test_it_is_no_source_of_synthetic_clips(packed, tmp_path):
    with pytest.raises(EchoAugmentError, match=r"holds the real clips of a packed data set.*store="):
        CachedClips(packed)
    with pytest.raises(EchoAugmentError, match="holds the real clips"):
        export_echonet(ClipStore(packed), tmp_path, lambda *_: None)
    assert info(packed).kind == "real" and ClipStore(packed).fingerprint == REAL
    assert {source for clip in ClipStore(packed) for source in [clip.provenance.motion_donor]} == set("ABCDVT")


def test_a_synthetic_cache_is_no_packed_data_set(good, tmp_path):
    with StoreWriter(tmp_path, fingerprint="f") as writer:
        frames = np.zeros((40, 24, 32), np.uint8)
        writer.add(EchoClip("A", frames, 50.0, provenance=Provenance("B", "C", 0, fingerprint="f")))
    for use in (lambda: EchoNetDynamic(good, store=tmp_path), lambda: pack(good, tmp_path)):
        with pytest.raises(EchoAugmentError, match="holds synthetic clips, not a packed dataset"):
            use()


def test_packing_goes_on_where_it_was_stopped(maker, tools, tmp_path, monkeypatch):
    root, folder = maker(tools.good_rows[:3] + tools.good_rows[4:5], videos=("A", "B", "C", "V")), tmp_path / "packed"
    seen = []

    def real_clip(row):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(row.name)
        return packing_real_clip(row)

    packing_real_clip = packing.real_clip
    monkeypatch.setattr(packing, "real_clip", real_clip)
    with pytest.raises(KeyboardInterrupt):
        pack(root, folder)
    assert list(ClipStore(folder).ids) == seen
    monkeypatch.setattr(packing, "real_clip", packing_real_clip)
    result = pack(root, folder)
    assert (result.packed, result.new) == (4, 2) and pack(root, folder).new == 0


def test_missing_and_exchanged_videos(maker, tools, tmp_path):
    rows, folder = tools.good_rows, tmp_path / "packed"
    pack(maker([*rows[:2], rows[4]]), folder)
    root = maker([*rows[:3], rows[4]], videos=("A", "B", "C", "V"))
    with pytest.raises(EchoAugmentError, match=r"C\.avi: is not in the store .*action=pack"):
        EchoNetDynamic(root, store=folder)
    skipping = EchoNetDynamic(root, store=folder, on_error="skip")
    assert skipping.fnames == ["A.avi", "B.avi"] and any("not in the store" in text for _, text in skipping.skipped)
    video.write_video(root / "Videos" / "A.avi", read_video(root / "Videos" / "A.avi")[0][:30], 50)
    for use in (lambda: EchoNetDynamic(root, store=folder), lambda: pack(root, folder)):
        with pytest.raises(EchoAugmentError, match=r"A\.avi: has \d+ bytes, the video of that name in the store"):
            use()


def test_a_damaged_video_is_never_served(good, packed, tmp_path):
    folder = shutil.copytree(packed, tmp_path / "copy")
    path = folder / SHARDS / ClipStore(folder).shard_of(0)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 8
    path.write_bytes(content)
    assert len(verify(folder)) == 1
    data, refused = EchoNetDynamic(good, "all", store=folder, length=4), 0
    for index in range(len(data)):
        try:
            assert_same(data[index], EchoNetDynamic(good, "all", length=4)[index])
        except EchoAugmentError as error:
            assert "does not match its checksum" in str(error)
            refused += 1
    assert refused == 1


def test_broken_videos_are_skipped(maker, tmp_path):
    root = maker()
    (root / "Videos" / "B.avi").write_bytes(b"RIFF")
    result = pack(root, tmp_path / "packed")
    assert [name for name, _ in result.skipped] == ["B"] and result.packed == 2
    with pytest.raises(EchoAugmentError, match=r"B\.avi"):
        pack(root, tmp_path / "other", on_error="raise")


def test_a_colour_video_cannot_be_packed(maker, tmp_path, monkeypatch):
    original = packing.read_video

    def tinted(path, *, rgb=False):
        frames, fps = original(path, rgb=rgb)
        if rgb and path.stem == "A":
            frames[20:, :, :, 0] += 40
        return frames, fps

    monkeypatch.setattr(packing, "read_video", tinted)
    result = pack(maker(), tmp_path / "packed")
    assert [name for name, reason in result.skipped if "is a colour video" in reason] == ["A"] and result.packed == 2
