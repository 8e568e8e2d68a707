"""A packed dataset gives the samples of its videos, bit for bit, colours included."""

import os
import pickle
import shutil
import struct

import numpy as np
import pytest

from echo_augment.augmentor.data import EchoNetDynamic, read_video, video
from echo_augment.augmentor.data.packed import Tint, tint_tables
from echo_augment.augmentor.data.packing import pack
from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, Provenance, StoreWriter, verify
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


def test_a_synthetic_cache_is_no_packed_data_set(good, tmp_path):
    with StoreWriter(tmp_path, fingerprint="f") as writer:
        frames = np.zeros((40, 24, 32), np.uint8)
        writer.add(EchoClip("A", frames, 50.0, provenance=Provenance("B", "C", 0, fingerprint="f")))
    for use in (lambda: EchoNetDynamic(good, store=tmp_path), lambda: pack(good, tmp_path)):
        with pytest.raises(EchoAugmentError, match="holds synthetic clips, not a packed dataset"):
            use()


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
        with pytest.raises(EchoAugmentError, match=r"A\.avi: is not the video of that name in the store"):
            use()


def packed_one(maker, tools, tmp_path):
    """A data set of A and V, its store, and A's file."""
    root = maker([tools.good_rows[0], tools.good_rows[4]], videos=("A", "V"))
    pack(root, tmp_path / "one")
    return root, tmp_path / "one", root / "Videos" / "A.avi"


def exchanged(path, changed):
    """Write other frames to a file, in as many bytes as it has."""
    before, clip = path.read_bytes(), read_video(path)[0].copy()
    changed(clip)
    video.write_video(path, clip, 50)
    content = path.read_bytes()
    if len(content) < len(before):
        content += bytes(len(before) - len(content))
    path.write_bytes(content[: len(before)] if len(content) > len(before) else content)
    return before


def flip(clip):
    clip[:] = clip[:, ::-1]


def flip_late(clip):
    clip[20:] = clip[20:, ::-1]


@pytest.mark.parametrize("change", [flip, flip_late])
def test_another_video_of_as_many_bytes_is_refused(maker, tools, tmp_path, change):
    root, store, path = packed_one(maker, tools, tmp_path)
    before = exchanged(path, change)
    assert path.stat().st_size == len(before) and path.read_bytes() != before
    for use in (lambda: EchoNetDynamic(root, store=store), lambda: pack(root, store)):
        with pytest.raises(EchoAugmentError, match=r"A\.avi: is not the video of that name in the store"):
            use()
    skipping = EchoNetDynamic(root, "all", store=store, on_error="skip")
    assert skipping.fnames == ["V.avi"] and "is not the video" in skipping.skipped[0].reason


def test_a_copy_of_another_date_is_the_same_video(maker, tools, tmp_path):
    root, store, path = packed_one(maker, tools, tmp_path)
    os.utime(path, (1, 1))
    assert len(EchoNetDynamic(root, "all", store=store)) == 2
    assert pack(root, store).new == 0


def test_the_same_frames_in_other_bytes_are_the_same_video(maker, tools, tmp_path):
    root, store, path = packed_one(maker, tools, tmp_path)
    path.write_bytes(path.read_bytes() + bytes(12))
    assert len(EchoNetDynamic(root, "all", store=store)) == 2
    assert_same(EchoNetDynamic(root, store=store, length=8)[0], EchoNetDynamic(root, length=8)[0])


def test_another_root_with_the_same_table_is_refused(maker, tools, tmp_path):
    root, store, _ = packed_one(maker, tools, tmp_path)
    other = shutil.copytree(root, tmp_path / "other")
    assert len(EchoNetDynamic(other, "all", store=store)) == 2
    exchanged(other / "Videos" / "A.avi", flip_late)
    with pytest.raises(EchoAugmentError, match=r"other/Videos/A\.avi: is not the video"):
        EchoNetDynamic(other, store=store)


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


LEVELS = np.arange(256)


GREY = np.random.default_rng(0).integers(0, 256, (3, 12, 16), dtype=np.uint8)


def moved(shift):
    return np.clip(LEVELS + shift, 0, 255).astype(np.uint8)


def test_tints():
    luma = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    rgb = np.stack([luma, luma, luma], axis=-1)
    assert tint_tables(luma, rgb) == {}
    rgb[..., 0] //= 2
    assert list(tint_tables(luma, rgb)) == ["red"]
    two = np.concatenate([luma, luma])
    rgb = np.concatenate([rgb, rgb + np.uint8(1)])
    assert tint_tables(two, rgb) is None


@pytest.mark.parametrize("red", [None, moved(-2), moved(1), moved(-200), moved(0), (LEVELS // 2).astype(np.uint8)])
@pytest.mark.parametrize("blue", [None, moved(-2), moved(100), np.roll(moved(0), 1), (255 - LEVELS).astype(np.uint8)])
@pytest.mark.parametrize("shape", [(3, 12, 16), (2, 1, 1), (4, 1, 9), (0, 5, 5)])
def test_every_channel_is_its_table(red, blue, shape):
    tables = {name: table for name, table in (("red", red), ("blue", blue)) if table is not None}
    grey = np.resize(GREY, shape)
    colours = Tint(tables)(grey)
    assert colours.shape == (*shape, 3) and colours.dtype == np.uint8
    for place, table in enumerate((red, None, blue)):
        assert np.array_equal(colours[..., place], grey if table is None else table[grey])
        assert colours[..., place].flags.c_contiguous


def test_a_rate_that_was_mended_in_the_file_is_another_video(maker, tools, tmp_path):
    """The frames stay as they are, but time passes at another rate: motion would run at twice its speed."""
    root, store, path = packed_one(maker, tools, tmp_path)
    data = bytearray(path.read_bytes())
    place = data.find(b"strh") + 28
    scale, rate = struct.unpack_from("<II", data, place)
    struct.pack_into("<II", data, place, scale * 2, rate)
    path.write_bytes(data)
    with pytest.raises(EchoAugmentError, match=r"A\.avi: is not the video .* packed \d+ at 50 frames per second"):
        EchoNetDynamic(root, store=store)
    with pytest.raises(EchoAugmentError, match="Pack again"):
        pack(root, store)
