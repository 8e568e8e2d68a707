import csv
import json

import cv2
import numpy as np
import pytest
from fakes.cache import FINGERPRINT, assert_same_clip, fake_plan, generate
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.cache import (
    ClipStore,
    EchoAugmentError,
    EchoClip,
    StoreWriter,
    export_echonet,
    fill,
    info,
    merge,
    verify,
)
from echo_augment.cache.export import LIST, trace_mask
from echo_augment.cache.gates import GATES, IMAGE_ONLY
from echo_augment.cache.manifest import SHARDS
from echo_augment.cache.system.locks import FolderLock, lock_path

LINES = fake_plan(12).lines
CLIPS = generate(LINES)


def write(folder, clips, fingerprint=FINGERPRINT, shard_clips=3):
    with StoreWriter(folder, fingerprint=fingerprint, shard_clips=shard_clips) as writer:
        for clip in clips:
            writer.add(clip)
    return folder


def test_info(tmp_path):
    fill(fake_plan(12), generate, tmp_path, progress=False, say=lambda text: None)
    figures = info(tmp_path)
    assert figures.clips == 12 and figures.shapes == ((6, 24, 24),) and figures.fingerprint == FINGERPRINT
    assert figures.bytes == sum(path.stat().st_size for path in (tmp_path / SHARDS).iterdir())
    assert figures.ef.labelled == 12 and figures.ef.min >= 10
    assert figures.plan.wanted == figures.plan.sealed == 12


@settings(max_examples=12, deadline=None)
@given(parts=st.lists(st.lists(st.integers(0, 11), max_size=9, unique=True), min_size=1, max_size=3), data=st.data())
def test_a_merge_holds_every_clip_once(tmp_path_factory, parts, data):
    root = tmp_path_factory.mktemp("merge")
    sources = [
        write(root / str(k), [CLIPS[i] for i in part], shard_clips=data.draw(st.integers(1, 5)))
        for k, part in enumerate(parts)
    ]
    added = merge(sources, root / "out")
    wanted = sorted({CLIPS[i].clip_id for part in parts for i in part})
    store = ClipStore(root / "out")
    assert list(store.ids) == wanted and added == len(wanted)
    truth = {clip.clip_id: clip for clip in CLIPS}
    for clip in store:
        assert_same_clip(clip, truth[clip.clip_id])
    assert verify(root / "out") == []
    assert merge(sources, root / "out") == 0


def test_caches_of_different_generators_are_not_merged(tmp_path):
    write(tmp_path / "a", CLIPS[:2])
    write(tmp_path / "b", [EchoClip("x", CLIPS[0].frames, 1.0)], fingerprint="other")
    with pytest.raises(EchoAugmentError, match=r"different generators.*fake-1.*other"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert len(ClipStore(tmp_path / "out")) == 0


def test_caches_of_different_gates_are_not_merged(tmp_path):
    strict = {"gates": {"image": True, "label": {"by": "masks"}, "privacy": None}, "limits": {"label": 6.5}}
    folders = [write(tmp_path / name, [clip]) for name, clip in zip("abc", CLIPS, strict=False)]
    for folder in folders[:2]:
        (folder / GATES).write_text(json.dumps(strict))
    out = tmp_path / "out"
    with pytest.raises(EchoAugmentError, match=r"different gates.*b: .*masks.*c: .*'label': None.*Keep them apart"):
        merge(folders, out)
    assert len(ClipStore(out)) == 0 and not (out / GATES).exists()
    assert merge(folders[:2], out) == 2 and json.loads((out / GATES).read_text()) == strict
    with pytest.raises(EchoAugmentError, match=r"different gates.*the merged cache: .*masks"):
        merge(folders[2:], out)
    (folders[2] / GATES).write_text(json.dumps({"gates": IMAGE_ONLY, "limits": {}}))
    assert merge([write(tmp_path / "d", [CLIPS[3]]), folders[2]], tmp_path / "plain") == 2, "no file: the image gate"
    (folders[0] / GATES).write_text("{")
    with pytest.raises(EchoAugmentError, match=r"gates\.json is damaged"):
        merge(folders[:1], out)


def test_a_damaged_source_is_not_merged(tmp_path):
    write(tmp_path / "a", CLIPS)
    path = sorted((tmp_path / "a" / SHARDS).iterdir())[1]
    content = bytearray(path.read_bytes())
    content[7000] ^= 1
    path.write_bytes(content)
    with pytest.raises(EchoAugmentError, match=r"does not match its checksum.*action=repair cache=.*a$"):
        merge([tmp_path / "a"], tmp_path / "out")
    assert verify(tmp_path / "out") == []


def test_care_waits_for_no_fill(tmp_path):
    write(tmp_path / "a", CLIPS)
    with FolderLock(lock_path(tmp_path / "out")), pytest.raises(EchoAugmentError, match="another process writes"):
        merge([tmp_path / "a"], tmp_path / "out")


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


def test_export_in_echonet_layout(tmp_path):
    mask = np.stack([ellipse(axes=(17, 9)), ellipse(axes=(16, 8)), ellipse(axes=(14, 6))])
    frames = (mask * 90).astype(np.uint8)
    clips = [
        EchoClip("traced", frames, 12.5, ef=61.5, ed_frame=0, es_frame=2, masks=mask),
        EchoClip("unlabelled", frames, 12.5),
        EchoClip("unmarked", frames, 25.0, ef=20.0, masks=mask),
    ]
    store, written = ClipStore(write(tmp_path / "cache", clips, fingerprint="")), {}

    def write_video(path, frames, fps):
        written[path.name] = (frames.copy(), fps)
        path.write_bytes(b"video")

    assert export_echonet(store, tmp_path / "out", write_video) == 2
    assert sorted(path.name for path in (tmp_path / "out" / "Videos").iterdir()) == [
        "traced.avi",
        "unlabelled.avi",
        "unmarked.avi",
    ]
    assert np.array_equal(written["traced.avi"][0], frames) and written["unmarked.avi"][1] == 25.0
    rows = list(csv.DictReader((tmp_path / "out" / "FileList.csv").open()))
    assert list(rows[0]) == list(LIST)
    assert [row["EF"] for row in rows] == ["61.5", "", "20.0"] and {row["Split"] for row in rows} == {"TRAIN"}
    lines = list(csv.DictReader((tmp_path / "out" / "VolumeTracings.csv").open()))
    assert list(lines[0]) == ["FileName", "X1", "Y1", "X2", "Y2", "Frame"]
    for name in ("traced.avi", "unmarked.avi"):
        assert [int(line["Frame"]) for line in lines if line["FileName"] == name] == [2] * 21 + [0] * 21
    assert {line["FileName"] for line in lines} == {"traced.avi", "unmarked.avi"}


def test_an_id_that_would_leave_the_folder_is_not_exported(tmp_path):
    store = ClipStore(write(tmp_path / "cache", [EchoClip("../x", CLIPS[0].frames, 1.0)], fingerprint=""))
    with pytest.raises(EchoAugmentError, match="cannot be a file name"):
        export_echonet(store, tmp_path / "out", lambda *_: None)
