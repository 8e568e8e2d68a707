"""A packed dataset gives the samples of its videos, bit for bit, and is no source of synthetic clips."""

import pytest

from echo_augment.augmentor import CachedClips
from echo_augment.augmentor.data import content_hash, packing, read_table
from echo_augment.augmentor.data.packing import REAL, pack, packed_hashes
from echo_augment.cache import ClipStore, EchoAugmentError, info
from echo_augment.cache.export import export_echonet


def test_hashes_are_those_of_the_leak_guard(good, packed):
    assert packed_hashes(packed) == {row.name: content_hash(row.path) for row in read_table(good).rows}


def test_it_is_no_source_of_synthetic_clips(packed, tmp_path):
    with pytest.raises(EchoAugmentError, match=r"holds the real clips of a packed data set.*store="):
        CachedClips(packed)
    with pytest.raises(EchoAugmentError, match="holds the real clips"):
        export_echonet(ClipStore(packed), tmp_path, lambda *_: None)
    assert info(packed).kind == "real" and ClipStore(packed).fingerprint == REAL
    assert {source for clip in ClipStore(packed) for source in [clip.provenance.motion_donor]} == set("ABCDVT")


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
