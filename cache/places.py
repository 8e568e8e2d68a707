"""Where HDF5 put the chunks of a dataset, in bytes from the beginning of the file, whatever HDF5 this is."""

import functools
import io
from typing import NamedTuple

import h5py
import numpy as np


class Place(NamedTuple):
    """One chunk: its row (first index), where it begins, its bytes, and the filters that were left out for it."""

    row: int
    offset: int
    size: int
    mask: int


def chunk_places(data: h5py.Dataset) -> list[Place]:
    """Every chunk of a dataset with chunks ``(1, ...)``.

    HDF5 up to 1.14.2 at least counts from the end of the user block, later ones from the beginning of the file: the
    library at hand is asked by a small file in memory, once.
    """
    shift = data.file.userblock_size if _counts_from_user_block() else 0
    places: list[Place] = []

    def add(info: h5py.h5d.StoreInfo) -> None:
        places.append(Place(info.chunk_offset[0], info.byte_offset + shift, info.size, info.filter_mask))

    data.id.chunk_iter(add)  # asking for one chunk after the other takes a time that grows as the square
    return places


@functools.cache
def _counts_from_user_block() -> bool:
    content = np.random.default_rng(0).integers(0, 256, 64, dtype=np.uint8)
    file = io.BytesIO()
    offsets: list[int] = []
    with h5py.File(file, "w", libver=("v110", "v110"), userblock_size=512) as hdf5:
        data = hdf5.create_dataset("x", data=content[None], chunks=(1, 64))
        data.id.chunk_iter(lambda info: offsets.append(info.byte_offset))
    at = file.getvalue().index(content.tobytes())
    if offsets[0] not in (at, at - 512):
        raise RuntimeError(f"HDF5 {h5py.version.hdf5_version} says that a chunk at {at} is at {offsets[0]}")
    return offsets[0] != at
