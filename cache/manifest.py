"""The manifest says which clip lies where: a small sorted table that opens at once and is rebuilt if it is outdated.

One file: a magic number, the version, a JSON header with the shards' names and sizes, and the table as it lies in
memory. It is memory-mapped, so a million clips cost a process no memory of its own, and workers share the pages. The
shards are the truth: sealed shards never change and their names follow from their content, so a manifest is up to date
exactly if it lists the shards in the folder with their sizes.
"""

import contextlib
import json
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import EchoAugmentError
from .shard.preamble import check_file
from .shard.reader import ShardReader
from .shard.table import MAX_TEXT
from .system.files import atomic_path, crc32

SHARDS, MANIFEST = "shards", "manifest.bin"
MAGIC = b"ECHOMANI"
VERSION = 1
MAX_HEADER_BYTES = 1 << 26
_HEAD = struct.Struct("<8sIIIQ")  # magic, version, CRC-32 of header and table, bytes of header, clips
_ALIGN = 64


@dataclass(frozen=True, slots=True)
class Manifest:
    """The clips of a cache, sorted by id, so that the order does not depend on how the cache was filled.

    Attributes:
        table: structured ``(N,)``: ``id`` bytes, ``shard`` index into ``shards``, ``row`` in that shard, ``ef``
            percent.
        shards: file names, sorted.
        sizes: bytes of each shard.
        fingerprint: fingerprint that all shards carry.
        doubled: clips left out because an earlier shard holds the same id.
    """

    table: npt.NDArray[np.void]
    shards: tuple[str, ...]
    sizes: tuple[int, ...]
    fingerprint: str
    doubled: int = 0


def table_type(id_bytes: int) -> np.dtype[Any]:
    """Return the table's type for ids of up to ``id_bytes`` bytes of UTF-8."""
    return np.dtype([("id", f"S{max(1, id_bytes)}"), ("shard", "<i4"), ("row", "<i4"), ("ef", "<f4")])


def list_shards(folder: Path) -> dict[str, int]:
    """Return name and size of every sealed shard of a cache, sorted by name; empty for a new cache."""
    try:
        with os.scandir(Path(folder) / SHARDS) as entries:
            found = {entry.name: entry.stat().st_size for entry in entries if _is_sealed(entry.name)}
    except FileNotFoundError:
        return {}
    return dict(sorted(found.items()))


def _is_sealed(name: str) -> bool:
    return name.startswith("clips-") and name.endswith(".h5")


def build(folder: Path, shards: dict[str, int], known: Manifest | None = None) -> Manifest:
    """Make the manifest from the shards; those that ``known`` lists are not read again.

    Args:
        folder: folder of the cache.
        shards: names and sizes, from :func:`list_shards`.
        known: older manifest, or None.

    Raises:
        EchoAugmentError: a damaged shard, or shards with different fingerprints.
    """
    names = tuple(shards)
    before = {name: k for k, name in enumerate(known.shards)} if known else {}
    parts, fingerprints = [], {known.fingerprint: known.shards[0]} if known and known.shards else {}
    usable = known is not None and known.doubled == 0
    for k, name in enumerate(names):
        if usable and known is not None and name in before and known.sizes[before[name]] == shards[name]:
            continue
        parts.append(_read_shard(Path(folder) / SHARDS / name, k, fingerprints))
    if usable and known is not None:
        places = {name: k for k, name in enumerate(names)}
        same = [shards.get(name) == size for name, size in zip(known.shards, known.sizes, strict=True)]
        numbers = [places[name] if ok else -1 for name, ok in zip(known.shards, same, strict=True)]
        renumber = np.array(numbers or [-1], np.int32)
        old = known.table.copy()
        old["shard"] = renumber[old["shard"]]
        parts.append(old[old["shard"] >= 0])
    width = max((part.dtype["id"].itemsize for part in parts), default=1)
    table = np.concatenate([np.zeros(0, table_type(width)), *(part.astype(table_type(width)) for part in parts)])
    table = table[np.lexsort((table["row"], table["shard"], table["id"]))]
    first = np.ones(len(table), bool)
    first[1:] = table["id"][1:] != table["id"][:-1]
    fingerprint = next(iter(fingerprints), "")
    return Manifest(table[first], names, tuple(shards.values()), fingerprint, int((~first).sum()))


def _read_shard(path: Path, k: int, fingerprints: dict[str, str]) -> npt.NDArray[np.void]:
    reader = ShardReader(path)
    rows, fingerprint = reader.table, reader.preamble.fingerprint
    reader.close()
    fingerprints.setdefault(fingerprint, path.name)
    if len(fingerprints) > 1:
        (one, first), (other, second) = list(fingerprints.items())[:2]
        raise EchoAugmentError(
            f"cache {path.parent.parent} mixes generators: {first} has fingerprint {one!r}, {second} has {other!r}",
            "Keep the shards of one generator in one folder",
        )
    part = np.zeros(len(rows), table_type(rows.dtype["id"].itemsize))
    part["id"], part["shard"], part["row"], part["ef"] = rows["id"], k, np.arange(len(rows)), rows["ef"]
    return part


def save(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, atomically.

    Raises:
        OSError: the folder cannot be written to.
    """
    header = {
        "shards": [list(pair) for pair in zip(manifest.shards, manifest.sizes, strict=True)],
        "id_bytes": manifest.table.dtype["id"].itemsize,
        "fingerprint": manifest.fingerprint,
        "doubled": manifest.doubled,
    }
    text = json.dumps(header).encode()
    text += b" " * (-(_HEAD.size + len(text)) % _ALIGN)
    table = np.ascontiguousarray(manifest.table)
    crc = _checksum(text, table)
    with atomic_path(Path(folder) / MANIFEST) as temporary, temporary.open("wb") as file:
        file.write(_HEAD.pack(MAGIC, VERSION, crc, len(text), len(table)) + text)
        table.tofile(file)


def _checksum(header: bytes, table: npt.NDArray[np.void]) -> int:
    crc = crc32(header)
    return crc32(table.view(np.uint8).data, crc) if len(table) else crc


def load(folder: Path) -> Manifest | None:
    """Return the stored manifest, memory-mapped; None if it is missing, damaged or of another version."""
    path = Path(folder) / MANIFEST
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            magic, version, crc, length, count = _HEAD.unpack(file.read(_HEAD.size))
            if magic != MAGIC or version != VERSION or length > min(size, MAX_HEADER_BYTES):
                return None
            text = file.read(length)
            header = json.loads(text)
            width = int(header["id_bytes"])
            dtype = table_type(width)
            if not 0 < width <= MAX_TEXT or _HEAD.size + length + count * dtype.itemsize != size:
                return None
            table = np.zeros(0, dtype)
            if count:
                table = np.memmap(file, dtype, "r", offset=_HEAD.size + length, shape=(count,))
            if _checksum(text, table) != crc:
                return None
            names, sizes = zip(*header["shards"], strict=True) if header["shards"] else ((), ())
            manifest = Manifest(table, tuple(names), tuple(sizes), header["fingerprint"], header["doubled"])
    except (OSError, struct.error, ValueError, KeyError, TypeError, UnicodeDecodeError):
        return None
    return manifest


def open_manifest(folder: Path, only: Iterable[str] | None = None) -> Manifest:
    """Return the manifest of a cache: the stored one if it is up to date, else one made from the shards and stored.

    Args:
        folder: folder of the cache.
        only: shard names to restrict it to: the snapshot that another process opened.

    Raises:
        EchoAugmentError: a damaged shard, mixed fingerprints, or a shard of ``only`` that is gone.
    """
    folder = Path(folder)
    there, manifest = list_shards(folder), load(folder)
    if manifest is None or dict(zip(manifest.shards, manifest.sizes, strict=True)) != there:
        manifest = build(folder, there, manifest)
        with contextlib.suppress(OSError):  # read-only cache or full disk: the manifest stays in memory only
            save(folder, manifest)
    if only is None or set(only) == set(manifest.shards):
        return manifest
    gone = sorted(set(only) - set(there))
    if gone:
        raise EchoAugmentError(f"cache {folder}: shard {gone[0]} has gone since the cache was opened", "Open it again")
    wanted = set(only)
    return build(folder, {name: size for name, size in there.items() if name in wanted}, manifest)


def check_shards(folder: Path) -> dict[str, str]:
    """Return what is wrong with each shard whose preamble, table or structures are damaged; clips are not read."""
    found = {}
    for name in list_shards(folder):
        try:
            check_file(Path(folder) / SHARDS / name)
        except (EchoAugmentError, OSError) as error:
            found[name] = str(error)
    return found
