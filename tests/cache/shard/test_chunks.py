import io

import h5py
import numpy as np
import pytest

from echo_augment.cache.shard import chunks as places
from echo_augment.cache.shard.chunks import chunk_places


@pytest.mark.parametrize("shift", [0, 4096])
def test_chunks_lie_where_it_says(shift, monkeypatch):
    """As HDF5 counts here, and as older ones do, from the end of the user block."""
    values = np.random.default_rng(1).integers(0, 256, (5, 300), dtype=np.uint8)
    file = io.BytesIO()
    with h5py.File(file, "w", libver=("v110", "v110"), userblock_size=4096) as hdf5:
        data = hdf5.create_dataset("x", data=values, chunks=(1, 300), maxshape=(9, 300))
        found = chunk_places(data)
        if shift:
            before = places._counts_from_user_block()
            monkeypatch.setattr(places, "_counts_from_user_block", lambda: not before)
            moved = chunk_places(data)
            step = -shift if before else shift
            assert [place.offset for place in moved] == [place.offset + step for place in found]
    content = file.getvalue()
    assert sorted(place.row for place in found) == [0, 1, 2, 3, 4]
    for row, offset, size, mask in found:
        assert content[offset : offset + size] == values[row].tobytes() and mask == 0
