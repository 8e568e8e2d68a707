"""Joining caches: every clip once, of one generator, through the same gates."""

import json

import pytest
from fakes.cache import assert_same_clip, fake_plan, generate, write_clips
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, merge, verify
from echo_augment.cache.gates import GATES, IMAGE_ONLY
from echo_augment.cache.manifest import SHARDS
from echo_augment.cache.system.locks import FolderLock, lock_path

LINES = fake_plan(12).lines


CLIPS = generate(LINES)


def write(folder, clips, **options):
    return write_clips(folder, clips, **{"shard_clips": 3, **options}).folder


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
