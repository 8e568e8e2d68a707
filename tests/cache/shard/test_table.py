"""The table of labels: every column comes back, and a row's checksum covers it."""

import h5py
import numpy as np
import pytest
from fakes.cache import assert_same_clip, fake_clip, fake_plan

from echo_augment.cache.shard.table import is_table, row_crc, to_clip, to_row, to_table

CLIPS = [fake_clip(line, masks=k % 2 == 0) for k, line in enumerate(fake_plan(5).lines)]


@pytest.fixture
def table():
    return to_table([to_row(clip, 1, 2) for clip in CLIPS])


def test_a_clip_comes_back_from_its_row(table):
    for row, clip in zip(table, CLIPS, strict=True):
        assert_same_clip(to_clip(row, clip.frames, clip.masks), clip)


def test_text_columns_are_just_wide_enough(table):
    assert table.dtype["id"].itemsize == max(len(clip.clip_id) for clip in CLIPS)


def test_a_checksum_covers_every_byte_of_its_row(table):
    row = table[2].tobytes()
    at = table.dtype.fields["row_crc"][1]
    assert row_crc(row, table.dtype) == table["row_crc"][2]
    for place in range(len(row)):
        changed = bytearray(row)
        changed[place] ^= 1
        inside = at <= place < at + 4  # the checksum itself, which counts as zero
        assert (row_crc(bytes(changed), table.dtype) == table["row_crc"][2]) == inside


@pytest.mark.parametrize("change", ["missing", "other kind", "too wide"])
def test_another_table_is_told_apart(table, change):
    kinds = {name: table.dtype[name] for name in table.dtype.names}
    assert is_table(np.dtype(list(kinds.items())))
    if change == "missing":
        kinds.pop("ef")
    else:
        kinds["ef" if change == "other kind" else "id"] = np.dtype("<f4" if change == "other kind" else "S5000")
    assert not is_table(np.dtype(list(kinds.items())))


def test_the_table_survives_hdf5(table, tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("clips", data=table)
    with h5py.File(tmp_path / "x.h5") as file:
        assert is_table(file["clips"].dtype) and np.array_equal(file["clips"][()], table)
