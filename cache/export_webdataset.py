"""A cache as tar shards that the `webdataset` package streams, and that any tar reader reads."""

import io
import json
import math
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from .errors import EchoAugmentError
from .files import atomic_path, write_json
from .real import refuse_real
from .record import EchoClip
from .store import ClipStore

INDEX = "index.json"


def export_webdataset(store: ClipStore, out: str | Path, *, shard_clips: int = 256) -> list[str]:
    """Write ``clips-000000.tar``, ... and ``index.json``.

    A clip is the members ``<key>.json`` (labels and provenance), ``<key>.frames.npy`` (``(T, H, W)`` uint8) and, where
    it has masks, ``<key>.masks.npy`` (``(T, H, W)`` bool), one after the other. ``key`` is the clip's id, with
    percent signs for what would not do in a file name or, as a dot, part the key from the extension. In `webdataset`::

        webdataset.WebDataset("clips-{000000..000003}.tar").decode().to_tuple("frames.npy", "json")

    The same cache gives the same bytes.

    Args:
        store: the cache.
        out: folder; made where it is missing.
        shard_clips: clips in a tar at most.

    Returns:
        Names of the tar files.

    Raises:
        EchoAugmentError: a damaged clip, a store of real clips, a folder with tar shards in it, a size below 1.
    """
    out = Path(out)
    refuse_real(store.folder, store.fingerprint)
    if shard_clips < 1:
        raise EchoAugmentError(f"a tar holds 1 clip or more, got {shard_clips}")
    if any(out.glob("clips-*.tar")):
        raise EchoAugmentError(f"{out} holds tar shards already", "Export to an empty folder")
    names = []
    for first in range(0, len(store), shard_clips):
        names.append(f"clips-{first // shard_clips:06d}.tar")
        with atomic_path(out / names[-1]) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            for index in range(first, min(first + shard_clips, len(store))):
                for name, data in members(store[index]):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    write_json(out / INDEX, {"shards": names, "clips": len(store), "fingerprint": store.fingerprint})
    return names


def key_of(clip_id: str) -> str:
    """The key of a clip: its id where that has only letters, digits, ``_``, ``-`` and ``~``; see `quote`."""
    return quote(clip_id, safe="").replace(".", "%2E")


def members(clip: EchoClip) -> Iterator[tuple[str, bytes]]:
    """``(name, content)`` of the files of one clip."""
    labels = {name: getattr(clip, name) for name in ("clip_id", "fps", "ed_frame", "es_frame", "confidence")}
    labels["ef"] = None if math.isnan(clip.ef) else clip.ef
    labels["provenance"] = clip.provenance.as_dict() if clip.provenance else None
    key = key_of(clip.clip_id)
    yield f"{key}.json", json.dumps(labels, allow_nan=False).encode()
    yield f"{key}.frames.npy", _npy(clip.frames)
    if clip.masks is not None:
        yield f"{key}.masks.npy", _npy(clip.masks)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()
