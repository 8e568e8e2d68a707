"""The page on the shard's format says what the code does: its tables, and shards read by them alone."""

import hashlib
import itertools
import json
import re
import struct
import zlib
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers LZ4 and Zstd
import numpy as np
import pytest
from fakes.cache import FINGERPRINT, fake_clip, fake_plan, write_clips

from echo_augment.cache import manifest
from echo_augment.cache.shard import chunks, lz4_blocks, preamble, table, writer

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "shard-format.md").read_text(encoding="utf-8")
CLIPS = [fake_clip(line, masks=k in (1, 2)) for k, line in enumerate(fake_plan(4).lines)]
CLIPS += [fake_clip(line, shape=(4, 24, 24), masks=False) for line in fake_plan(1, seed=1).lines]  # padded to 6 frames


def rows(first: str, number: int = 0) -> list[list[str]]:
    """The rows of the page's table number ``number`` whose first column is called ``first``, without backquotes."""
    blocks = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)
    found = [block for block in blocks if block.startswith(f"| {first} |")][number]
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in found.splitlines()[2:]]
    return [[cell.strip().strip("`").replace("\\|", "|") for cell in line] for line in lines]


def fields(block: bytes, number: int) -> dict[str, tuple]:
    """The values of the fields of a head, by the page's table."""
    return {name: struct.unpack_from("<" + kind, block, int(at)) for at, kind, name, _ in rows("offset", number)}


def cleared(data: bytes, at: int) -> bytes:
    return data[:at] + bytes(4) + data[at + 4 :]


@pytest.mark.parametrize("number", [0, 1], ids=["preamble", "manifest"])
def test_the_fields_of_a_head_follow_one_another(number):
    table = rows("offset", number)
    ends = [int(at) + struct.calcsize("<" + kind) for at, kind, *_ in table]
    assert [int(at) for at, *_ in table] == [0, *ends[:-1]]


def test_the_preamble_is_as_the_page_says():
    made = preamble.Preamble(9999, 2, (3, 5, 7), "abc", ((4096, 11), (5000, 13)), 17)
    block = made.pack()
    found = fields(block, 0)
    assert found.pop("magic") == (preamble.MAGIC,) and found.pop("version") == (preamble.FORMAT_VERSION,)
    assert found.pop("preamble_crc") == (zlib.crc32(cleared(block, 12)),)
    assert found.pop("fingerprint") == (b"abc".ljust(128, b"\0"),)
    assert found.pop("gap") == (4096, 11) and struct.unpack_from("<QQ", block, 176 + 16) == (5000, 13)
    numbers = {"file_size": 9999, "count": 2, "T": 3, "H": 5, "W": 7, "gap_count": 2, "gaps_crc": 17}
    assert found == {name: (value,) for name, value in numbers.items()} and not any(block[176 + 32 :])


def test_limits_columns_and_filters_are_the_codes():
    limits = [preamble.SIZE, preamble.MAX_GAPS, preamble.MAX_CLIPS, preamble.MAX_CLIP_BYTES, preamble.MAX_META_BYTES]
    limits += [preamble.FINGERPRINT_BYTES, table.MAX_TEXT, lz4_blocks.MIN_BLOCK]
    assert [int(value) for _, value in rows("limit")] == limits
    assert [(name, kind) for name, kind, _ in rows("column")] == [
        *table.NUMBERS.items(),
        *((name, "S") for name in table.TEXTS),
    ]
    kinds = manifest.table_type(9)
    assert [(name, kind) for name, kind, _ in rows("manifest column")] == [
        (name, "S" if kinds[name].kind == "S" else kinds[name].str) for name in kinds.names
    ]
    filters = {name: 0 if number == "none" else int(number) for name, number, _ in rows("`compression`")}
    assert {number: name for name, number in filters.items()} == chunks.FILTERS
    assert set(filters) == set(writer.COMPRESSIONS)


@pytest.mark.parametrize("compression", writer.COMPRESSIONS)
def test_a_shard_is_read_by_the_page_alone(tmp_path, compression):
    write_clips(tmp_path, CLIPS, shard_clips=10, round_frames=6, compression=compression)
    (path,) = (tmp_path / "shards").iterdir()
    data = path.read_bytes()
    head = {name: values[0] for name, values in fields(data, 0).items()}
    assert (head["magic"], head["file_size"]) == (b"\x89ECHOAUG", len(data))
    assert zlib.crc32(cleared(data[:4096], 12)) == head["preamble_crc"]
    gaps = [struct.unpack_from("<QQ", data, 176 + 16 * k) for k in range(head["gap_count"])]
    assert zlib.crc32(b"".join(data[at : at + size] for at, size in gaps)) == head["gaps_crc"]
    assert head["fingerprint"].rstrip(b"\0").decode() == FINGERPRINT
    n, (t, h, w) = head["count"], (head[name] for name in "THW")
    bits = -(-t * h * w // 8)
    covered = 4096 + sum(size for _, size in gaps)
    with h5py.File(path, "r") as file:
        found, frames, masks = file["clips"][()], file["frames"], file["masks"]
        assert file.userblock_size == 4096 and file["clips"].chunks is None
        assert list(found.dtype.names) == [name for name, *_ in rows("column")]
        assert found.dtype.itemsize == sum(found.dtype[name].itemsize for name in found.dtype.names), "packed"
        assert (frames.shape, frames.chunks, frames.dtype.str) == ((n, t, h, w), (1, t, h, w), "|u1")
        assert (masks.shape, masks.chunks, masks.dtype.str) == ((3, bits), (1, bits), "|u1"), "none behind clip 2"
        assert {name for name, *_ in rows("dataset")} == set(file)
        for k, (row, clip) in enumerate(zip(found, CLIPS, strict=True)):
            assert zlib.crc32(cleared(row.tobytes(), found.dtype.fields["row_crc"][1])) == row["row_crc"]
            skipped, stored = frames.id.read_direct_chunk((k, 0, 0, 0))
            assert skipped == 0 and zlib.crc32(stored) == row["frames_crc"]
            covered += len(stored)
            count = row["n_frames"]
            assert np.array_equal(frames[k][:count], clip.frames) and not frames[k][count:].any()
            assert (row["id"].decode(), row["ef"], row["fps"]) == (clip.clip_id, clip.ef, clip.fps)
            assert json.loads(row["extra"]) == clip.provenance.extra and row["seed"] == clip.provenance.seed
            if compression == "lz4":
                check_blocks(stored, t * h * w, -(-4096 // (h * w)) * h * w)
            assert row["has_masks"] == (clip.masks is not None)
            if row["has_masks"]:
                stored = masks.id.read_direct_chunk((k, 0))[1]
                assert zlib.crc32(stored) == row["masks_crc"]
                covered += len(stored)
                pixels = np.unpackbits(masks[k], bitorder="big")[: t * h * w].reshape(t, h, w)
                assert np.array_equal(pixels[:count], clip.masks)
    assert covered == len(data), "every byte has one checksum"
    name = hashlib.blake2b(found.tobytes() + FINGERPRINT.encode(), digest_size=10).hexdigest()
    assert path.name == f"clips-{name}.h5"


def check_blocks(stored: bytes, size: int, block: int) -> None:
    """The chunk is blocks of the LZ4 filter, to its last byte."""
    assert struct.unpack_from(">QI", stored) == (size, block)
    at = 12
    for start in range(0, size, block):
        length = struct.unpack_from(">I", stored, at)[0]
        assert length <= min(block, size - start)
        at += 4 + length
    assert at == len(stored)


def test_the_manifest_is_as_the_page_says(tmp_path):
    store = write_clips(tmp_path, CLIPS)
    data = (tmp_path / "manifest.bin").read_bytes()
    head = {name: values[0] for name, values in fields(data, 1).items()}
    assert (head["magic"], head["version"], head["count"]) == (b"ECHOMANI", 1, len(CLIPS))
    assert head["crc"] == zlib.crc32(data[28:])
    header = json.loads(data[28 : 28 + head["header_bytes"]])
    assert (28 + head["header_bytes"]) % 64 == 0
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "shards").iterdir()}
    assert header["shards"] == [[name, sizes[name]] for name in sorted(sizes)]
    assert (header["fingerprint"], header["doubled"]) == (FINGERPRINT, 0)
    kinds = [(name, kind if kind != "S" else f"S{header['id_bytes']}") for name, kind, _ in rows("manifest column")]
    table = np.frombuffer(data[28 + head["header_bytes"] :], np.dtype(kinds))
    assert [value.decode() for value in table["id"]] == list(store.ids)
    assert all(one <= other for one, other in itertools.pairwise(table["id"]))
    places = {clip.clip_id: clip for clip in CLIPS}
    assert all(row["ef"] == np.float32(places[row["id"].decode()].ef) for row in table)
