import multiprocessing
import pickle
import re

import h5py
import numpy as np
import pytest
from fakes.cache import FINGERPRINT, assert_same_clip, fake_clip, fake_plan
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, Provenance, StoreWriter
from echo_augment.cache.manifest import MANIFEST, SHARDS
from echo_augment.cache.shard.writer import COMPRESSIONS


def write(folder, clips, **options):
    with StoreWriter(folder, **{"fingerprint": FINGERPRINT, "shard_clips": 4, **options}) as writer:
        for clip in clips:
            writer.add(clip)
    return ClipStore(folder)


@pytest.fixture
def clips():
    return [fake_clip(line, masks=k % 2 == 0) for k, line in enumerate(fake_plan(11).lines)]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_what_goes_in_comes_out(tmp_path, clips, compression):
    store = write(tmp_path, clips, compression=compression)
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
    store = write(folder, clips.values(), fingerprint="f", compression=compression, shard_clips=draw(st.integers(1, 4)))
    assert sorted(store.ids, key=str.encode) == list(store.ids) and set(store.ids) == set(clips)
    for k, name in enumerate(store.ids):
        assert_same_clip(store[k], clips[name])


def test_the_order_does_not_depend_on_the_way_of_writing(tmp_path, clips):
    one = write(tmp_path / "a", clips)
    other = write(tmp_path / "b", clips[::-1], shard_clips=3, compression="none")
    assert list(one.ids) == list(other.ids)


def test_chosen_frames_without_labels(tmp_path, clips):
    store = write(tmp_path, clips)
    assert np.array_equal(store.read_frames(3, [5, 0, 0]), clips[3].frames[[5, 0, 0]])
    assert np.array_equal(store.read_frames(-1, slice(1, 4)), clips[-1].frames[1:4])
    assert np.array_equal(store.read_frames(0), clips[0].frames)


def test_indices_as_a_list_has_them(tmp_path, clips):
    store = write(tmp_path, clips)
    assert store[-1].clip_id == clips[-1].clip_id
    assert [clip.clip_id for clip in store[2:9:3]] == [clip.clip_id for clip in clips[2:9:3]]
    with pytest.raises(IndexError):
        store[11]
    assert clips[4].clip_id in store.ids and "no such clip" not in store.ids


def test_clips_of_several_lengths_live_in_one_cache(tmp_path):
    lines = fake_plan(6).lines
    clips = [fake_clip(line, shape=(3 + k % 2, 8, 8 + k % 3)) for k, line in enumerate(lines)]
    store = write(tmp_path, clips)
    assert [clip.frames.shape for clip in store] == [clip.frames.shape for clip in clips]


def test_nothing_is_visible_before_it_is_sealed(tmp_path, clips):
    with StoreWriter(tmp_path, fingerprint=FINGERPRINT, shard_clips=4) as writer:
        for clip in clips[:6]:
            writer.add(clip)
        assert len(ClipStore(tmp_path)) == 4
        assert len(list((tmp_path / SHARDS).iterdir())) == 1
    assert len(ClipStore(tmp_path)) == 6
    assert all(path.name.startswith("clips-") for path in (tmp_path / SHARDS).iterdir())


def test_discard_leaves_no_file(tmp_path, clips):
    writer = StoreWriter(tmp_path, fingerprint=FINGERPRINT)
    writer.add(clips[0])
    writer.discard()
    assert not list((tmp_path / SHARDS).iterdir())


def test_old_shards_are_sealed_by_time(tmp_path, clips):
    with StoreWriter(tmp_path, fingerprint=FINGERPRINT, seal_seconds=-1) as writer:
        writer.add(clips[0])
        assert len(ClipStore(tmp_path)) == 1


def test_an_open_store_does_not_change_while_others_write(tmp_path, clips):
    store = write(tmp_path, clips[4:])
    first = list(store.ids)
    write(tmp_path, clips[:4])
    copy = pickle.loads(pickle.dumps(store))  # noqa: S301  our own bytes
    assert list(store.ids) == list(copy.ids) == first
    assert_same_clip(copy[0], clips[4])
    assert len(ClipStore(tmp_path)) == 11


def test_the_pickle_is_small_and_holds_no_handle(tmp_path, clips):
    store = write(tmp_path, clips)
    _ = store[0]
    assert len(pickle.dumps(store)) < 1000


def read_all(store, queue):
    queue.put([clip.frames.tobytes() for clip in store])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_reads_the_same(tmp_path, clips, method):
    store = write(tmp_path, clips)
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
    store = write(tmp_path, clips, shard_clips=1)
    for k in np.random.default_rng(0).integers(0, 11, 40):
        assert_same_clip(store[int(k)], clips[k])


def test_gzip_and_none_read_without_the_plugin(tmp_path, clips):
    for compression, filters in (("gzip", {"1"}), ("none", set())):
        write(tmp_path / compression, clips, compression=compression)
        for path in (tmp_path / compression / SHARDS).iterdir():
            with h5py.File(path) as file:
                found = {
                    str(file[name].id.get_create_plist().get_filter(0)[0])
                    for name in ("frames", "masks")
                    if file[name].id.get_create_plist().get_nfilters()
                }
                assert found == filters


def test_no_such_folder(tmp_path):
    with pytest.raises(EchoAugmentError, match=r"there is no cache at .*absent"):
        ClipStore(tmp_path / "absent")


def test_a_damaged_clip_is_named_and_the_others_are_served(tmp_path, clips):
    store = write(tmp_path, clips, compression="none", shard_clips=20)
    path = tmp_path / SHARDS / store.shard_of(0)
    content = bytearray(path.read_bytes())
    at = content.index(clips[5].frames.tobytes())
    content[at + 100] ^= 4
    path.write_bytes(content)
    store = ClipStore(tmp_path)
    with pytest.raises(EchoAugmentError, match=f"{clips[5].clip_id}.*{re.escape(str(path))}.*action=repair cache="):
        store[5]
    assert_same_clip(store[4], clips[4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "should have"),
        (lambda data: data[:3000], "less than its preamble"),
        (lambda data: b"", "0 bytes"),
        (lambda data: b"PK" + data[2:], "does not begin as a shard"),
        (lambda data: data[:60] + b"x" + data[61:], "preamble does not match"),
        (lambda data: data[:4200] + b"x" + data[4201:], "structures do not match"),
    ],
)
def test_a_broken_file_is_refused_before_hdf5_sees_it(tmp_path, clips, change, message, monkeypatch):
    store = write(tmp_path, clips, shard_clips=20)
    path = tmp_path / SHARDS / store.shards[0]
    path.write_bytes(change(path.read_bytes()))
    monkeypatch.setattr("h5py.File", None)
    with pytest.raises(EchoAugmentError, match=message):
        store[0]
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(EchoAugmentError, match=message):
        ClipStore(tmp_path)


@pytest.mark.parametrize(("version", "age"), [(0, "older"), (2, "newer")])
def test_another_format_version_gets_a_clear_message(tmp_path, clips, version, age, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("echo_augment.cache.shard.preamble.FORMAT_VERSION", version)
        with StoreWriter(tmp_path, fingerprint=FINGERPRINT) as writer:
            writer.add(clips[0])
    with pytest.raises(EchoAugmentError, match=f"format version {version}, {age} than 1"):
        ClipStore(tmp_path)


def test_shards_of_two_generators_in_one_folder(tmp_path, clips):
    write(tmp_path, clips[:2])
    other = EchoClip("other", clips[0].frames, 12.5)
    with pytest.raises(EchoAugmentError, match=r"mixes generators.*fake-1"):
        write(tmp_path, [other], fingerprint="fake-2")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"clip_id": ""}, "without an id"),
        ({"clip_id": "a\0"}, "no zero byte"),
        ({"clip_id": "a" * 5000}, "at most 4096"),
        ({"provenance": Provenance("a", "b", 2**63, fingerprint=FINGERPRINT)}, "more than 63 bits"),
        ({"provenance": Provenance("a", "b", 1, fingerprint=FINGERPRINT, extra={"x": float("nan")})}, "not plain JSON"),
        ({"provenance": Provenance("a", "b", 1, fingerprint="other")}, "has fingerprint 'other'"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_harms_nothing(tmp_path, clips, values, message):
    bad = {"clip_id": "x", "frames": clips[0].frames, "fps": 1.0} | values
    with StoreWriter(tmp_path, fingerprint=FINGERPRINT) as writer:
        writer.add(clips[0])
        with pytest.raises(EchoAugmentError, match=message):
            writer.add(EchoClip(**bad))
        writer.add(clips[1])
    assert [clip.clip_id for clip in ClipStore(tmp_path)] == [clip.clip_id for clip in clips[:2]]


@pytest.mark.parametrize(
    ("values", "message"), [({"compression": "brotli"}, "got 'brotli'"), ({"shard_clips": 0}, "got 0")]
)
def test_bad_settings_are_refused_at_once(tmp_path, values, message):
    with pytest.raises(EchoAugmentError, match=message):
        StoreWriter(tmp_path, **values)
