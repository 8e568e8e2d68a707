import shutil
import sys
import time

import numpy as np
import pytest
from fakes.cache import FINGERPRINT, fake_plan, generate
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.cache import ClipStore, StoreWriter
from echo_augment.cache.manifest import (
    MANIFEST,
    SHARDS,
    Manifest,
    build,
    list_shards,
    load,
    open_manifest,
    save,
    table_type,
)


def write(folder, clips, shard_clips=4):
    with StoreWriter(folder, fingerprint=FINGERPRINT, shard_clips=shard_clips) as writer:
        for clip in clips:
            writer.add(clip)


@pytest.fixture
def clips():
    return generate(fake_plan(10).lines)


def test_it_is_made_again_when_shards_come_or_go(tmp_path, clips):
    write(tmp_path, clips[:6])
    assert len(ClipStore(tmp_path)) == 6
    write(tmp_path, clips[6:])
    assert len(ClipStore(tmp_path)) == 10
    stored = load(tmp_path)
    assert np.array_equal(stored.table, build(tmp_path, list_shards(tmp_path)).table)
    (tmp_path / SHARDS / stored.shards[0]).unlink()
    store = ClipStore(tmp_path)
    assert len(store) < 10 and [clip.clip_id for clip in store] == list(store.ids)


def test_a_known_part_is_not_read_again(tmp_path, clips, monkeypatch):
    write(tmp_path, clips[:8])
    open_manifest(tmp_path)
    known = set(list_shards(tmp_path))
    read = []
    import echo_augment.cache.manifest as module

    original = module._read_shard
    monkeypatch.setattr(module, "_read_shard", lambda path, *rest: (read.append(path.name), original(path, *rest))[1])
    write(tmp_path, clips[8:])
    assert len(ClipStore(tmp_path)) == 10
    assert read and not known & set(read)


def test_the_same_clip_in_two_shards_is_served_once(tmp_path, clips):
    write(tmp_path, clips[:4])
    write(tmp_path, clips[2:9], shard_clips=7)
    store = ClipStore(tmp_path)
    assert len(store) == 9 and len(set(store.ids)) == 9
    assert load(tmp_path).doubled == 2
    write(tmp_path, clips[9:])
    assert len(ClipStore(tmp_path)) == 10


def test_a_read_only_cache_opens_without_a_manifest(tmp_path, clips, monkeypatch):
    write(tmp_path, clips)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("echo_augment.cache.manifest.save", refuse)
    assert len(ClipStore(tmp_path)) == 10 and not (tmp_path / MANIFEST).exists()


def fuzz_manifest(folder, examples):
    write(folder, generate(fake_plan(10).lines))
    expected = [clip.clip_id for clip in ClipStore(folder)]
    whole = (folder / MANIFEST).read_bytes()

    @settings(max_examples=examples, deadline=None, database=None)
    @given(data=st.data())
    def run(data):
        content = bytearray(whole)
        at = data.draw(st.integers(0, len(content)))
        patch = data.draw(st.binary(max_size=16))
        content[at : at + data.draw(st.integers(0, 32))] = patch
        (folder / MANIFEST).write_bytes(content)
        assert load(folder) is None or content == whole
        assert list(ClipStore(folder).ids) == expected

    run()


def test_a_fuzzed_manifest_is_made_again(tmp_path):
    fuzz_manifest(tmp_path, 60)


@pytest.mark.slow
def test_10000_fuzzed_manifests(tmp_path):
    fuzz_manifest(tmp_path, 10_000)


def simulate(folder, n, shard_clips):
    """A manifest of ``n`` clips with shards that are there by name and size only."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / SHARDS).mkdir(parents=True)
    names = tuple(sorted(f"clips-{k:020x}.h5" for k in range(n // shard_clips)))
    for name in names:
        (folder / SHARDS / name).touch()
    table = np.zeros(n, table_type(16))
    table["id"] = np.char.mod("a1b2c3d4-%07d", np.arange(n))
    table["shard"], table["row"] = np.arange(n) // shard_clips, np.arange(n) % shard_clips
    table["ef"] = np.random.default_rng(0).normal(55, 12, n)
    save(folder, Manifest(table, names, (0,) * len(names), "f"))


def test_a_large_manifest_opens_at_once(tmp_path):
    simulate(tmp_path, 200_000, 500)
    started = time.process_time()
    store = ClipStore(tmp_path)
    assert time.process_time() - started < 1
    assert len(store) == 200_000 and store.ids[123_456] == "a1b2c3d4-0123456"
    assert store.ids.find("a1b2c3d4-0199999") == 199_999 and "a1b2c3d4-x" not in store.ids


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_million_clips_open_in_a_second_and_200_mb(tmp_path, capsys):
    simulate(tmp_path, 1_000_000, 500)

    def resident():
        return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6  # noqa: PTH123

    # Time of this process: other work on the machine does not count.
    before, started = resident(), time.process_time()
    store = ClipStore(tmp_path)
    seconds, memory = time.process_time() - started, resident() - before
    started = time.process_time()
    for k in np.random.default_rng(0).integers(0, len(store), 1000):
        _ = store.ids[int(k)], store.shard_of(int(k))
    each = (time.process_time() - started) * 1e3
    with capsys.disabled():
        print(f"\n1M clips: open {seconds:.3f} s, {memory:.0f} MB resident, look-up {each:.1f} us")
    assert len(store) == 1_000_000 and seconds < 1 and memory < 200
