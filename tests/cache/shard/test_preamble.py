"""The preamble: what it refuses before HDF5 sees the file."""

import pytest
from fakes.cache import FINGERPRINT, fake_clip, fake_plan, write_clips
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.cache import ClipStore, EchoAugmentError, StoreWriter
from echo_augment.cache.manifest import MANIFEST, SHARDS
from echo_augment.cache.shard.preamble import SIZE, Preamble, find_gaps, unpack


@pytest.fixture
def clips():
    return [fake_clip(line, masks=k % 2 == 0) for k, line in enumerate(fake_plan(11).lines)]


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
    store = write_clips(tmp_path, clips, shard_clips=20)
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


@settings(max_examples=300, deadline=None)
@given(block=st.binary(max_size=5000), size=st.integers(0, 2**64))
def test_any_bytes_as_a_preamble_give_a_clear_error(block, size):
    with pytest.raises(EchoAugmentError, match=r"shard x\.h5"):
        unpack(block, "x.h5", size)


def test_a_preamble_comes_back_as_it_was_packed():
    preamble = Preamble(9000, 3, (16, 112, 112), "abc", ((4096, 100), (8000, 1000)), 7)
    block = preamble.pack()
    assert len(block) == SIZE and unpack(block, "x.h5", 9000) == preamble


def test_gaps_are_what_no_chunk_covers():
    assert find_gaps([(6000, 500), (5000, 1000)], 7000) == ((4096, 904), (6500, 500))
    assert find_gaps([(4096, 904)], 5000) == ()
