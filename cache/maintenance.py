"""Look after a cache: `info` describes it, `verify` finds all damage, `repair` keeps what is whole."""

import contextlib
import shutil
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .clip import is_real
from .errors import EchoAugmentError
from .fill import PLAN
from .manifest import MANIFEST, SHARDS, list_shards, load, open_manifest
from .plan import Plan
from .shard.preamble import CRC_AT, SIZE, check_file, damaged, find_gaps, read_gaps, unpack
from .shard.reader import ShardReader
from .shard.writer import TEMPORARY
from .store import ClipStore
from .system.files import crc32, sync_folder
from .system.locks import hold
from .writer import StoreWriter

QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong.

    Attributes:
        file: name of the shard, or of ``manifest.bin`` or ``plan.jsonl``.
        clip_id: the damaged clip, or ``""`` where the damage is outside the clips.
        what: in words.
    """

    file: str
    clip_id: str
    what: str

    def __str__(self) -> str:
        return self.what


def info(folder: str | Path) -> dict[str, Any]:
    """Figures of a cache: clips, shards, bytes, shapes, EF, fingerprint, and how far its plan is."""
    store = ClipStore(folder)
    efs = store.ef[store.ef == store.ef]
    sizes = list_shards(store.folder)
    shapes = sorted({check_file(store.folder / SHARDS / name).shape for name in sizes})
    figures: dict[str, Any] = {
        "clips": len(store),
        "shards": len(sizes),
        "bytes": sum(sizes.values()),
        "shapes": [list(shape) for shape in shapes],
        "kind": "real" if is_real(store.fingerprint) else "synthetic",
        "fingerprint": store.fingerprint,
        "ef": {"labelled": len(efs)},
    }
    if len(efs):
        figures["ef"] |= {"mean": float(efs.mean()), "min": float(efs.min()), "max": float(efs.max())}
    if (store.folder / PLAN).exists():
        plan = Plan.load(store.folder / PLAN)
        there = sum(line.clip_id in store.ids for line in plan.lines + plan.reserve)
        figures["plan"] = {"wanted": len(plan.lines), "sealed": there, **dict(plan.settings)}
    return figures


def verify(folder: str | Path, *, progress: bool = False) -> list[Damage]:
    """Read every byte of a cache and say what does not match its checksum; an empty list means that all is well.

    Raises:
        EchoAugmentError: no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise EchoAugmentError(f"there is no cache at {folder}")
    found: list[Damage] = []
    names = list_shards(folder)
    for name in tqdm(names, desc="verify", unit="shard", disable=not progress):
        found += verify_shard(folder / SHARDS / name)
    if (folder / MANIFEST).exists() and load(folder) is None:
        what = f"manifest {folder / MANIFEST} is damaged; it is made again when the cache is next opened"
        found.append(Damage(MANIFEST, "", what))
    if (folder / PLAN).exists():
        try:
            Plan.load(folder / PLAN)
        except EchoAugmentError as error:
            found.append(Damage(PLAN, "", str(error)))
    prints = {check_file(folder / SHARDS / name).fingerprint for name in names} if not found else set()
    if len(prints) > 1:
        found.append(Damage(SHARDS, "", f"cache {folder} mixes the fingerprints {sorted(prints)}"))
    return found


def verify_shard(path: Path) -> list[Damage]:
    """What is wrong in one shard. Preamble, tables and clips together are every byte of it."""
    found = []
    try:
        with contextlib.closing(ShardReader(path)) as reader:
            if find_gaps(reader.extents(), reader.preamble.file_size) != reader.preamble.gaps:
                raise damaged(path, "it holds bytes that belong to nothing")
            for row in range(len(reader)):
                try:
                    reader.clip(row)
                except EchoAugmentError as error:
                    found.append(Damage(path.name, reader.name(row), error.message))
    except EchoAugmentError as error:
        found.append(Damage(path.name, "", error.message))
    except OSError as error:
        found.append(Damage(path.name, "", f"shard {path} cannot be read: {error}"))
    return found


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair did: shards put into quarantine, clips kept from them, clips lost with them."""

    shards: tuple[str, ...]
    kept: int
    lost: tuple[Damage, ...]


def repair(folder: str | Path, *, progress: bool = False) -> Repair:
    """Keep every whole clip of damaged shards in new shards; move the damaged ones to ``quarantine/``.

    Clips that are lost are no longer in the cache, so that the next fill makes them again. A single flipped bit in the
    tables of a shard is mended from its checksum, and then loses no clip. May be killed and run again.

    Raises:
        EchoAugmentError: no such folder, or a fill is going on in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise EchoAugmentError(f"there is no cache at {folder}")
    kept, lost, moved = 0, list[Damage](), list[str]()
    with hold(folder):
        for name in tqdm(list_shards(folder), desc="repair", unit="shard", disable=not progress):
            path = folder / SHARDS / name
            damage = verify_shard(path)
            if not damage:
                continue
            (folder / QUARANTINE).mkdir(exist_ok=True)
            shutil.copyfile(path, folder / QUARANTINE / name)
            clips, sealed = _salvage(path, folder)
            kept += clips
            if path not in sealed:  # a shard that was mended whole has its old name
                path.unlink()
            sync_folder(folder / SHARDS)
            moved.append(name)
            lost += damage
        for leaving in (folder / SHARDS).glob(f".clips-*{TEMPORARY}"):
            leaving.unlink()
        if (folder / MANIFEST).exists() and load(folder) is None:
            (folder / MANIFEST).unlink()
        open_manifest(folder)
    return Repair(tuple(moved), kept, tuple(lost))


def _salvage(path: Path, folder: Path) -> tuple[int, list[Path]]:
    """Write the whole clips of a damaged shard to a new one; their number, and the new shard."""
    kept = 0
    with tempfile.TemporaryDirectory(prefix=".repair-", dir=folder) as scratch:
        copy = Path(scratch) / SHARDS / path.name
        copy.parent.mkdir()
        shutil.copyfile(path, copy)
        mend(copy)
        try:
            reader = ShardReader(copy, proven=False)
        except EchoAugmentError:
            return 0, []
        with (
            contextlib.closing(reader),
            StoreWriter(
                folder,
                shard_clips=len(reader),
                fingerprint=reader.preamble.fingerprint,
                compression=reader.compression,
                round_frames=reader.preamble.shape[0],
            ) as writer,
        ):
            for row in range(len(reader)):
                with contextlib.suppress(EchoAugmentError):  # verify_shard has said it already
                    writer.add(reader.clip(row))
                    kept += 1
    return kept, writer.sealed


def mend(path: Path) -> bool:
    """Mend one flipped bit in the preamble and one in the tables of a shard, in place; whether that was possible."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(0)
        block = _mend_preamble(file.read(SIZE))
        try:
            preamble = unpack(block or b"", path, size)
        except EchoAugmentError:
            return False
        tables = mend_single_flip(read_gaps(file, preamble.gaps), preamble.gaps_crc)
        file.seek(0)
        file.write(block or b"")
        at = 0
        for offset, length in preamble.gaps if tables else ():
            file.seek(offset)
            file.write(tables[at : at + length] if tables else b"")
            at += length
    return tables is not None


def _mend_preamble(block: bytes) -> bytes | None:
    if len(block) < SIZE:
        return None
    (crc,) = struct.unpack_from("<I", block, CRC_AT)
    zeroed = block[:CRC_AT] + bytes(4) + block[CRC_AT + 4 :]
    actual = crc32(zeroed)
    if (actual ^ crc).bit_count() == 1:  # the flip is in the checksum itself
        crc = actual
    mended = mend_single_flip(zeroed, crc)
    return mended and mended[:CRC_AT] + struct.pack("<I", crc) + mended[CRC_AT + 4 :]


POLYNOMIAL = 0xEDB88320
MAX_BYTES = 1 << 22


def mend_single_flip(data: bytes, crc: int) -> bytes | None:
    """``data`` with the one bit flipped that makes its CRC-32 equal to ``crc``, or None where no single bit does.

    A CRC is linear: the difference of two checksums depends on the position of the flipped bit, counted from the end,
    and on nothing else. So the differences of all positions are stepped through, one shift each.

    Args:
        data: at most 4 MiB.
        crc: CRC-32 of the undamaged bytes.
    """
    wanted = crc32(data) ^ crc
    if wanted == 0:
        return data
    if len(data) > MAX_BYTES:
        return None
    # A flipped top bit of the last byte (bit 7, the last that enters the register) changes the checksum by this.
    state = POLYNOMIAL
    for position in range(len(data) * 8):
        if state == wanted:
            k, bit = len(data) - 1 - position // 8, 7 - position % 8
            mended = bytearray(data)
            mended[k] ^= 1 << bit
            return bytes(mended) if crc32(mended) == crc else None
        state = (state >> 1) ^ (POLYNOMIAL if state & 1 else 0)
    return None
