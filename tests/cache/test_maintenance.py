"""Flipped bits: all found, none served, and repaired with the loss of one clip at most."""

import shutil
import time
import zlib

import numpy as np
import pytest
from fakes.cache import FINGERPRINT, assert_same_clip, fake_plan, gate, generate
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.cache import ClipStore, EchoAugmentError, StoreWriter, fill, info, repair, verify
from echo_augment.cache.maintenance import mend_single_flip
from echo_augment.cache.manifest import MANIFEST, SHARDS
from echo_augment.cache.shard.preamble import check_file
from echo_augment.cache.shard.reader import ShardReader
from echo_augment.cache.shard.writer import COMPRESSIONS

PLAN = fake_plan(24)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    clips = generate(PLAN.lines)
    for compression, some in zip(COMPRESSIONS, np.split(np.arange(24), 4), strict=True):
        with StoreWriter(folder, fingerprint=FINGERPRINT, compression=compression) as writer:
            for k in some:
                writer.add(clips[k])
    assert len(ClipStore(folder)) == 24 and verify(folder) == []
    return folder


def flip(path, at, bit):
    with path.open("r+b") as file:
        file.seek(at)
        value = file.read(1)[0] ^ (1 << bit)
        file.seek(at)
        file.write(bytes([value]))


def check_flips(folder, flips, seed):
    """Flip one bit after the other in random places; count what is found, and what a store serves."""
    rng, truth = np.random.default_rng(seed), {clip.clip_id: clip for clip in ClipStore(folder)}
    paths = sorted((folder / SHARDS).iterdir())
    found = refused = 0
    for k in range(flips):
        path, bit = paths[rng.integers(len(paths))], int(rng.integers(8))
        # Half of the flips outside the clips, which are most of the bytes.
        gaps, size = check_file(path).gaps, path.stat().st_size
        places = [(0, 4096), *gaps, (0, size), (0, size), (0, size)]
        start, length = places[rng.integers(len(places))]
        at = start + int(rng.integers(length))
        flip(path, at, bit)
        damage = verify(folder)
        assert damage, f"bit {bit} of byte {at} in {path.name} was not found (flip {k}, seed {seed})"
        found += 1
        store = ClipStore(folder)
        for index in range(len(store)):
            try:
                assert_same_clip(store[index], truth[store.ids[index]])
            except EchoAugmentError as error:
                assert path.name in str(error) and "action=repair" in str(error)
                refused += 1
        store.close()
        flip(path, at, bit)
    assert verify(folder) == [] and found == flips
    return refused


def test_every_flipped_bit_is_found_and_none_is_served(sound, tmp_path):
    folder = shutil.copytree(sound, tmp_path / "cache")
    assert check_flips(folder, 40, seed=0) >= 40


@pytest.mark.slow
def test_1000_flipped_bits(sound, tmp_path):
    folder = shutil.copytree(sound, tmp_path / "cache")
    assert check_flips(folder, 1000, seed=int(time.time())) >= 1000


@pytest.mark.parametrize("part", ["preamble", "tables", "clip"])
@pytest.mark.parametrize("seed", range(3))
def test_repair_after_one_flip_loses_at_most_the_clip_that_was_hit(sound, tmp_path, part, seed):
    folder = shutil.copytree(sound, tmp_path / "cache")
    rng, truth = np.random.default_rng(seed), {clip.clip_id: clip for clip in ClipStore(folder)}
    path = sorted((folder / SHARDS).iterdir())[rng.integers(4)]
    preamble = check_file(path)
    start, length = {"preamble": (0, 4096), "tables": preamble.gaps[-1]}.get(part, (0, 0))
    if part == "clip":
        start, length = ShardReader(path).extents()[seed]
    flip(path, start + int(rng.integers(length)), int(rng.integers(8)))
    result = repair(folder)
    assert result.shards == (path.name,) and (folder / "quarantine" / path.name).exists()
    store = ClipStore(folder)
    assert len(store) == (23 if part == "clip" else 24) and verify(folder) == []
    for clip in store:
        assert_same_clip(clip, truth[clip.clip_id])
    assert repair(folder).shards == ()


def test_fill_makes_again_what_repair_gave_up(tmp_path):
    plan = fake_plan(30)
    options = {"progress": False, "say": lambda text: None, "shard_clips": 8, "gates": [gate]}
    fill(plan, generate, tmp_path, **options)
    whole = {clip.clip_id: clip for clip in ClipStore(tmp_path)}
    first, second = sorted((tmp_path / SHARDS).iterdir())[:2]
    for offset, size in ShardReader(first).extents()[:2]:
        flip(first, offset + size // 2, 3)
    ruined = len(ShardReader(second))
    second.write_bytes(second.read_bytes()[:-100])  # nothing can be saved of it
    lost = len({damage.clip_id for damage in verify(tmp_path) if damage.clip_id}) + ruined
    repair(tmp_path)
    assert len(ClipStore(tmp_path)) == 30 - lost
    summary = fill(plan, generate, tmp_path, **options)
    assert summary.made == lost and summary.complete
    for clip in ClipStore(tmp_path):
        assert_same_clip(clip, whole[clip.clip_id])


def test_damage_to_manifest_and_plan_is_found_and_the_manifest_heals(tmp_path):
    fill(fake_plan(9), generate, tmp_path, progress=False, say=lambda text: None)
    for name in (MANIFEST, "plan.jsonl"):
        path = tmp_path / name
        before = path.read_bytes()
        flip(path, len(before) // 2, 2)
        assert [damage.file for damage in verify(tmp_path)] == [name]
        if name == MANIFEST:
            assert len(ClipStore(tmp_path)) == 9  # made again from the shards
        else:
            path.write_bytes(before)
        assert verify(tmp_path) == []


def test_an_absent_cache():
    for action in (verify, repair):
        with pytest.raises(EchoAugmentError, match="there is no cache"):
            action("no-such-folder")


@settings(deadline=None)
@given(data=st.binary(min_size=1, max_size=300), where=st.floats(0, 1, exclude_max=True))
def test_a_single_flip_is_mended_wherever_it_is(data, where):
    bit = int(where * len(data) * 8)
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    assert mend_single_flip(bytes(damaged), zlib.crc32(data)) == data
    assert mend_single_flip(data, zlib.crc32(data)) == data


def test_two_flips_are_not_mended():
    assert mend_single_flip(b"\x01" + bytes(100) + b"\x01", zlib.crc32(bytes(102))) is None


def fuzz_shards(sound, folder, examples):
    """Overwrite a stretch of a shard with other bytes, or cut or lengthen it: a clear error or the true clips."""
    source = sorted((sound / SHARDS).iterdir())
    truth = {clip.clip_id: clip for clip in ClipStore(sound)}

    @settings(max_examples=examples, deadline=None, database=None)
    @given(data=st.data())
    def run(data):
        original = source[data.draw(st.integers(0, 3))]
        content = bytearray(original.read_bytes())
        at = data.draw(st.one_of(st.integers(0, 300), st.integers(4096, 6200), st.integers(0, len(content))))
        patch = data.draw(st.binary(max_size=64))
        content[at : at + data.draw(st.one_of(st.just(len(patch)), st.integers(0, 99)))] = patch
        path = folder / SHARDS / original.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        (folder / MANIFEST).unlink(missing_ok=True)
        try:
            for clip in ClipStore(folder):
                assert_same_clip(clip, truth[clip.clip_id])
        except EchoAugmentError as error:
            assert str(path) in str(error)
        path.unlink()

    run()


def test_fuzzed_shards(sound, tmp_path):
    fuzz_shards(sound, tmp_path, 150)


@pytest.mark.slow
def test_10000_fuzzed_shards(sound, tmp_path):
    fuzz_shards(sound, tmp_path, 10_000)


def test_info(tmp_path):
    fill(fake_plan(12), generate, tmp_path, progress=False, say=lambda text: None)
    figures = info(tmp_path)
    assert figures.clips == 12 and figures.shapes == ((6, 24, 24),) and figures.fingerprint == FINGERPRINT
    assert figures.bytes == sum(path.stat().st_size for path in (tmp_path / SHARDS).iterdir())
    assert figures.ef.labelled == 12 and figures.ef.min >= 10
    assert figures.plan.wanted == figures.plan.sealed == 12
