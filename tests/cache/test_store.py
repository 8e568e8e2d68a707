import multiprocessing
import pickle
import re

import numpy as np
import pytest
from fakes.cache import FINGERPRINT, assert_same_clip, fake_clip, fake_plan, write_clips
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, Provenance
from echo_augment.cache.manifest import SHARDS
from echo_augment.cache.shard.writer import COMPRESSIONS


@pytest.fixture
def clips():
    return [fake_clip(line, masks=k % 2 == 0) for k, line in enumerate(fake_plan(11).lines)]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_what_goes_in_comes_out(tmp_path, clips, compression):
    store = write_clips(tmp_path, clips, compression=compression)
    assert len(store) == 11 and list(store.ids) == [clip.clip_id for clip in clips]
    for one, other in zip(store, clips, strict=True):
        assert_same_clip(one, other)
    assert store.fingerprint == FINGERPRINT
    assert store.ef.dtype == np.float32 and np.allclose(store.ef, [clip.ef for clip in clips])


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_clip_survives_a_round_trip(tmp_path_factory, data):
    draw = data.draw
    ids = draw(st.lists(text.filter(bool), min_size=1, max_size=6, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    clips = {}
    for name in ids:
        shape = tuple(draw(st.integers(1, 7)) for _ in range(3))
        frames = rng.integers(0, 256, shape, dtype=np.uint8)
        source = None
        if draw(st.booleans()):
            source = Provenance(draw(text), draw(text), draw(st.integers(-(2**63), 2**63 - 1)), fingerprint="f")
        clips[name] = EchoClip(
            name,
            frames,
            fps=draw(st.floats(0.1, 1e4)),
            ef=draw(st.one_of(st.just(float("nan")), st.floats(0, 100))),
            ed_frame=draw(st.integers(-1, shape[0] - 1)),
            confidence=draw(st.floats(0, 1)),
            masks=frames > 99 if draw(st.booleans()) else None,
            provenance=source,
        )
    compression = draw(st.sampled_from(list(COMPRESSIONS)))
    folder = tmp_path_factory.mktemp("store")
    store = write_clips(
        folder, clips.values(), fingerprint="f", compression=compression, shard_clips=draw(st.integers(1, 4))
    )
    assert sorted(store.ids, key=str.encode) == list(store.ids) and set(store.ids) == set(clips)
    for k, name in enumerate(store.ids):
        assert_same_clip(store[k], clips[name])


def test_the_order_does_not_depend_on_the_way_of_writing(tmp_path, clips):
    one = write_clips(tmp_path / "a", clips)
    other = write_clips(tmp_path / "b", clips[::-1], shard_clips=3, compression="none")
    assert list(one.ids) == list(other.ids)


def test_chosen_frames_without_labels(tmp_path, clips):
    store = write_clips(tmp_path, clips)
    assert np.array_equal(store.read_frames(3, [5, 0, 0]), clips[3].frames[[5, 0, 0]])
    assert np.array_equal(store.read_frames(-1, slice(1, 4)), clips[-1].frames[1:4])
    assert np.array_equal(store.read_frames(0), clips[0].frames)


def test_indices_as_a_list_has_them(tmp_path, clips):
    store = write_clips(tmp_path, clips)
    assert store[-1].clip_id == clips[-1].clip_id
    assert [clip.clip_id for clip in store[2:9:3]] == [clip.clip_id for clip in clips[2:9:3]]
    with pytest.raises(IndexError):
        store[11]
    assert clips[4].clip_id in store.ids and "no such clip" not in store.ids


def test_an_open_store_does_not_change_while_others_write(tmp_path, clips):
    store = write_clips(tmp_path, clips[4:])
    first = list(store.ids)
    write_clips(tmp_path, clips[:4])
    copy = pickle.loads(pickle.dumps(store))  # noqa: S301  our own bytes
    assert list(store.ids) == list(copy.ids) == first
    assert_same_clip(copy[0], clips[4])
    assert len(ClipStore(tmp_path)) == 11


def test_the_pickle_is_small_and_holds_no_handle(tmp_path, clips):
    store = write_clips(tmp_path, clips)
    _ = store[0]
    assert len(pickle.dumps(store)) < 1000


def read_all(store, queue):
    queue.put([clip.frames.tobytes() for clip in store])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_reads_the_same(tmp_path, clips, method):
    store = write_clips(tmp_path, clips)
    _ = store[0]  # an open handle, which must not be used in the child
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=read_all, args=(store, queue))
    process.start()
    assert queue.get(timeout=60) == [clip.frames.tobytes() for clip in clips]
    process.join()
    assert_same_clip(store[10], clips[10])


def test_more_shards_than_may_be_open(tmp_path, clips, monkeypatch):
    monkeypatch.setattr("echo_augment.cache.store.MAX_OPEN", 2)
    store = write_clips(tmp_path, clips, shard_clips=1)
    for k in np.random.default_rng(0).integers(0, 11, 40):
        assert_same_clip(store[int(k)], clips[k])


def test_no_such_folder(tmp_path):
    with pytest.raises(EchoAugmentError, match=r"there is no cache at .*absent"):
        ClipStore(tmp_path / "absent")


def test_a_damaged_clip_is_named_and_the_others_are_served(tmp_path, clips):
    store = write_clips(tmp_path, clips, compression="none", shard_clips=20)
    path = tmp_path / SHARDS / store.shard_of(0)
    content = bytearray(path.read_bytes())
    at = content.index(clips[5].frames.tobytes())
    content[at + 100] ^= 4
    path.write_bytes(content)
    store = ClipStore(tmp_path)
    with pytest.raises(EchoAugmentError, match=f"{clips[5].clip_id}.*{re.escape(str(path))}.*action=repair cache="):
        store[5]
    assert_same_clip(store[4], clips[4])


def test_shards_of_two_generators_in_one_folder(tmp_path, clips):
    write_clips(tmp_path, clips[:2])
    other = EchoClip("other", clips[0].frames, 12.5)
    with pytest.raises(EchoAugmentError, match=r"mixes generators.*fake-1"):
        write_clips(tmp_path, [other], fingerprint="fake-2")
