"""Export in EchoNet-Dynamic's layout and as tar shards."""

import csv
import io
import json
import tarfile

import cv2
import numpy as np
import pytest
from fakes.cache import FINGERPRINT, fake_plan, generate, write_clips

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, StoreWriter, export_echonet, export_webdataset
from echo_augment.cache.export import LIST, key_of, trace_mask


@pytest.fixture
def store(tmp_path):
    with StoreWriter(tmp_path / "cache", fingerprint=FINGERPRINT) as writer:
        for clip in generate(fake_plan(7).lines):
            writer.add(clip)
        writer.add(EchoClip("../odd.name/é", np.full((3, 8, 8), 7, np.uint8), 20.0, provenance=clip.provenance))
    return ClipStore(tmp_path / "cache")


def members_of(folder, names):
    """Every clip's members by kind, as a plain tar reader finds them."""
    seen = {}
    for name in names:
        with tarfile.open(folder / name) as tar:
            for member in tar:
                key, _, kind = member.name.partition(".")
                assert "/" not in member.name and member.isfile()
                file = io.BytesIO(tar.extractfile(member).read())
                value = json.load(file) if kind == "json" else np.lib.format.read_array(file, allow_pickle=False)
                seen.setdefault(key, {})[kind] = value
    return seen


def test_a_plain_tar_reader_reads_it_back(store, tmp_path):
    seen = members_of(tmp_path / "out", export_webdataset(store, tmp_path / "out", shard_clips=3))
    assert len(seen) == len(store) == 8
    for clip in store:
        found = seen[key_of(clip.clip_id)]
        assert found["json"]["clip_id"] == clip.clip_id and found["json"]["provenance"] == clip.provenance.to_json()
        assert found["json"]["ef"] == (None if np.isnan(clip.ef) else clip.ef) and found["json"]["fps"] == clip.fps
        assert np.array_equal(found["frames.npy"], clip.frames) and found["frames.npy"].dtype == np.uint8
        assert ("masks.npy" in found) == (clip.masks is not None)
        assert clip.masks is None or np.array_equal(found["masks.npy"], clip.masks)


def test_an_index_lists_the_tar_files(store, tmp_path):
    names = export_webdataset(store, tmp_path / "out", shard_clips=3)
    assert names == [f"clips-{k:06d}.tar" for k in range(3)]
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index == {"shards": names, "clips": 8, "fingerprint": FINGERPRINT}


def test_the_same_cache_gives_the_same_bytes(store, tmp_path):
    names = export_webdataset(store, tmp_path / "out")
    export_webdataset(store, tmp_path / "again")
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


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


LINES = fake_plan(12).lines


CLIPS = generate(LINES)


def write(folder, clips, **options):
    return write_clips(folder, clips, **{"shard_clips": 3, **options}).folder


def ellipse(tilt=20.0, axes=(17, 9)):
    canvas = np.zeros((64, 64), np.uint8)
    cv2.ellipse(canvas, (30, 33), axes, 90 + tilt, 0, 360, 1, -1)
    return canvas.astype(bool)


@pytest.mark.parametrize("tilt", [-35, 0, 20])
def test_a_tracing_gives_its_mask_back(tilt):
    mask = ellipse(tilt)
    lines = trace_mask(mask)
    assert lines.shape == (21, 4) and lines[0, 1] < lines[0, 3]  # apex above base
    x1, y1, x2, y2 = lines.T
    # The polygon, as the echonet package draws it: down one side, up the other.
    polygon = np.stack([np.r_[x1[1:], x2[1:][::-1]], np.r_[y1[1:], y2[1:][::-1]]], axis=1)
    drawn = np.zeros((64, 64), np.uint8)
    cv2.fillPoly(drawn, [np.rint(polygon).astype(np.int32)], 1)
    overlap = (mask & (drawn > 0)).sum() / (mask | (drawn > 0)).sum()
    assert overlap > 0.85
    axis = lines[0, 2:] - lines[0, :2]
    chords = lines[1:, 2:] - lines[1:, :2]
    assert np.abs(chords @ axis).max() < 1e-6 * np.linalg.norm(axis) * np.abs(chords).max()
    assert abs(np.linalg.norm(axis) - 35) < 2


def test_a_mask_too_small_to_trace():
    with pytest.raises(EchoAugmentError, match="4 pixels"):
        trace_mask(np.eye(4, dtype=bool))


MASK = np.stack([ellipse(axes=(17, 9)), ellipse(axes=(16, 8)), ellipse(axes=(14, 6))])
FRAMES = (MASK * 90).astype(np.uint8)


@pytest.fixture
def exported(tmp_path):
    """The folder of an export, the frames and rates it wrote, and how many clips have tracings."""
    clips = [
        EchoClip("traced", FRAMES, 12.5, ef=61.5, ed_frame=0, es_frame=2, masks=MASK),
        EchoClip("unlabelled", FRAMES, 12.5),
        EchoClip("unmarked", FRAMES, 25.0, ef=20.0, masks=MASK),
    ]
    store, written = ClipStore(write(tmp_path / "cache", clips, fingerprint="")), {}

    def write_video(path, frames, fps):
        written[path.name] = (frames.copy(), fps)
        path.write_bytes(b"video")

    traced = export_echonet(store, tmp_path / "out", write_video)
    return tmp_path / "out", written, traced


def test_every_clip_is_a_video(exported):
    folder, written, _ = exported
    names = ["traced.avi", "unlabelled.avi", "unmarked.avi"]
    assert sorted(path.name for path in (folder / "Videos").iterdir()) == names
    assert np.array_equal(written["traced.avi"][0], FRAMES) and written["unmarked.avi"][1] == 25.0


def test_the_list_has_ef_and_split_of_every_clip(exported):
    rows = list(csv.DictReader((exported[0] / "FileList.csv").open()))
    assert list(rows[0]) == list(LIST)
    assert [row["EF"] for row in rows] == ["61.5", "", "20.0"] and {row["Split"] for row in rows} == {"TRAIN"}


def test_clips_with_masks_are_traced_at_es_and_ed(exported):
    folder, _, traced = exported
    lines = list(csv.DictReader((folder / "VolumeTracings.csv").open()))
    assert list(lines[0]) == ["FileName", "X1", "Y1", "X2", "Y2", "Frame"] and traced == 2
    for name in ("traced.avi", "unmarked.avi"):
        assert [int(line["Frame"]) for line in lines if line["FileName"] == name] == [2] * 21 + [0] * 21
    assert {line["FileName"] for line in lines} == {"traced.avi", "unmarked.avi"}


def test_an_id_that_would_leave_the_folder_is_not_exported(tmp_path):
    store = ClipStore(write(tmp_path / "cache", [EchoClip("../x", CLIPS[0].frames, 1.0)], fingerprint=""))
    with pytest.raises(EchoAugmentError, match="cannot be a file name"):
        export_echonet(store, tmp_path / "out", lambda *_: None)


def test_videos_of_another_generator_are_not_taken_for_the_cache_s(tmp_path):
    """They may have the same names, and a video that is there is not written again."""
    stores, written = [], []
    for number, fingerprint in enumerate(("one", "two")):
        folder = tmp_path / fingerprint
        clip = EchoClip("a", np.full((2, 16, 16), number, np.uint8), 50.0, ef=50.0)
        write_clips(folder, [clip], fingerprint=fingerprint)
        stores.append(ClipStore(folder))

    def save(path, frames, fps):
        written.append(int(frames[0, 0, 0]))
        path.write_bytes(b"video")

    export_echonet(stores[0], tmp_path / "out", save)
    export_echonet(stores[0], tmp_path / "out", save)
    assert written == [0]
    with pytest.raises(EchoAugmentError, match=r"out holds clips of generator 'one', the cache has those of 'two'"):
        export_echonet(stores[1], tmp_path / "out", save)
    (tmp_path / "out" / "export.json").unlink()
    with pytest.raises(EchoAugmentError, match="holds videos of unknown origin"):
        export_echonet(stores[0], tmp_path / "out", save)
    assert written == [0]
