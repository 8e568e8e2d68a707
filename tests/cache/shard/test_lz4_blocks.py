"""Our decoding of HDF5's LZ4 chunks against HDF5's own, and on bytes that are no such chunks."""

import io
import zlib

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.cache.shard.lz4_blocks import MIN_BLOCK, WORTH, block_bytes, decode, encode
from echo_augment.cache.system.files import crc32


def chunk(values, nbytes):
    """``(N, ...)`` uint8 as the filter stores it in blocks of ``nbytes``; 0: in one block."""
    with h5py.File(io.BytesIO(), "w") as file:
        data = file.create_dataset("x", data=values, chunks=values.shape, **hdf5plugin.LZ4(nbytes=nbytes))
        assert np.array_equal(data[()], values)
        return data.id.read_direct_chunk((0,) * values.ndim)[1]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_it_decodes_what_the_filter_wrote(data):
    count, item = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 700))
    levels = data.draw(st.sampled_from([1, 3, 256]))
    values = np.random.default_rng(count * item).integers(0, levels, (count, item), dtype=np.uint8)
    nbytes = data.draw(st.sampled_from([0, item, 2 * item, 3 * item, item + 1, block_bytes(item)]))
    stored = memoryview(chunk(values, nbytes))
    whole = decode(stored, values.size, item)
    assert np.array_equal(whole, values) and whole.flags.writeable
    wanted = data.draw(st.lists(st.integers(0, count - 1), max_size=12))
    assert np.array_equal(decode(stored, values.size, item, wanted), values[np.array(wanted, np.int64)])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_filter_reads_what_it_encodes(data):
    count, item = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 700))
    levels = data.draw(st.sampled_from([1, 3, 20, 256]))
    values = np.random.default_rng(count * item).integers(0, levels, (count, item), dtype=np.uint8)
    nbytes = data.draw(st.sampled_from([item, 2 * item, item + 1, block_bytes(item)]))
    stored = encode(values.tobytes(), nbytes)
    with h5py.File(io.BytesIO(), "w") as file:
        there = file.create_dataset("x", values.shape, "u1", chunks=values.shape, **hdf5plugin.LZ4(nbytes=nbytes))
        there.id.write_direct_chunk((0, 0), stored)
        assert np.array_equal(there[()], values)
    assert np.array_equal(decode(memoryview(stored), values.size, item), values)


def test_a_block_is_compressed_only_where_that_saves_a_third():
    rng = np.random.default_rng(0)
    flat, noise = bytes(5000), rng.integers(0, 256, 5000, dtype=np.uint8).tobytes()
    half = noise[:4500] + bytes(500)  # LZ4 saves a tenth
    assert len(encode(flat, 5000)) < 100
    for block in (noise, half):
        stored = encode(block, 5000)
        assert stored[16:] == block and len(stored) == 16 + 5000
    mixed = encode(flat + half, 5000)
    assert mixed.endswith(half) and len(mixed) < 5000 * (1 + WORTH)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_other_bytes_give_an_error_or_the_right_size(data):
    values = np.random.default_rng(0).integers(0, 9, (4, 5000), dtype=np.uint8)
    content = bytearray(chunk(values, 5000))
    at = data.draw(st.one_of(st.integers(0, 20), st.integers(0, len(content))))
    content[at : at + data.draw(st.integers(0, 16))] = data.draw(st.binary(max_size=16))
    try:
        assert decode(memoryview(content), values.size, 5000).shape == (4, 5000)
    except ValueError:
        return


@pytest.mark.parametrize("head", [b"", (1 << 60).to_bytes(8, "big") + bytes(4), (64).to_bytes(8, "big") + bytes(4)])
def test_nothing_is_allocated_for_what_a_chunk_claims(head):
    with pytest.raises(ValueError, match=r"claims|has 0 bytes"):
        decode(memoryview(head), 64, 8)


def test_blocks_hold_a_frame_or_4_kib():
    assert block_bytes(112 * 112) == 112 * 112 and block_bytes(576) == 8 * 576 and block_bytes(1) == MIN_BLOCK


@given(data=st.binary(max_size=4000), start=st.integers(0, 2**32 - 1))
def test_the_checksum_is_zlibs(data, start):
    assert crc32(data) == zlib.crc32(data) and crc32(data, start) == zlib.crc32(data, start)
