"""Look after a cache: `info` describes it, `verify` finds all damage, `repair` keeps the whole clips."""

import contextlib
import shutil
import struct
import tempfile
from pathlib import Path

from .clip import is_real
from .errors import EchoAugmentError
from .fill import PLAN
from .manifest import MANIFEST, SHARDS, list_shards, load, open_manifest
from .plan import Plan
from .results import CacheInfo, Damage, LabelFigures, PlanProgress, Repair
from .shard.preamble import CRC_AT, SIZE, check_file, damaged, find_gaps, read_gaps, unpack
from .shard.reader import ShardReader
from .shard.writer import TEMPORARY
from .store import ClipStore
from .system.files import crc32, sync_folder
from .system.locks import hold
from .system.progress import follow
from .writer import StoreWriter

QUARANTINE = "quarantine"


def info(folder: str | Path) -> CacheInfo:
    """Return the figures of a cache: clips, shards, bytes, shapes, EF, fingerprint, and how far its plan is.

    Raises:
        EchoAugmentError: no cache at ``folder``, or a damaged shard or plan.
    """
    store = ClipStore(folder)
    efs = store.ef[store.ef == store.ef]
    sizes = list_shards(store.folder)
    labels = LabelFigures(labelled=len(efs))
    if len(efs):
        labels = LabelFigures(labelled=len(efs), mean=float(efs.mean()), min=float(efs.min()), max=float(efs.max()))
    progress = None
    if (store.folder / PLAN).exists():
        plan = Plan.load(store.folder / PLAN)
        sealed = sum(line.clip_id in store.ids for line in plan.lines + plan.reserve)
        progress = PlanProgress(wanted=len(plan.lines), sealed=sealed, settings=dict(plan.settings))
    return CacheInfo(
        clips=len(store),
        shards=len(sizes),
        bytes=sum(sizes.values()),
        shapes=tuple(sorted({check_file(store.folder / SHARDS / name).shape for name in sizes})),
        kind="real" if is_real(store.fingerprint) else "synthetic",
        fingerprint=store.fingerprint,
        ef=labels,
        plan=progress,
    )


def verify(folder: str | Path, *, progress: bool = False) -> list[Damage]:
    """Read every byte of a cache and return all that does not match its checksum; an empty list if it is whole.

    Args:
        folder: folder of the cache.
        progress: show how far it is.

    Raises:
        EchoAugmentError: no such folder.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from echo_augment.cache import EchoClip
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with StoreWriter(folder) as writer:
        ...         writer.add(EchoClip("a", np.zeros((4, 8, 8), np.uint8), fps=25))
        ...     shard = writer.sealed[0]
        ...     whole = verify(folder)
        ...     size = shard.write_bytes(shard.read_bytes()[:-1])
        ...     broken = verify(folder)
        >>> whole, len(broken)
        ([], 1)
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise EchoAugmentError(f"there is no cache at {folder}")
    found: list[Damage] = []
    names = list_shards(folder)
    for name in follow(names, "verify", unit="shard", show=progress):
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
    """Return what is wrong in one shard; preamble, tables and clips together are every byte of it."""
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


def repair(folder: str | Path, *, progress: bool = False) -> Repair:
    """Write the whole clips of damaged shards to new shards, and move the damaged ones to ``quarantine/``.

    Lost clips are no longer in the cache, so that the next fill makes them again. A single flipped bit in the tables of
    a shard is mended from its checksum, and loses no clip. May be killed and run again.

    Args:
        folder: folder of the cache.
        progress: show how far it is.

    Raises:
        EchoAugmentError: no such folder, or a fill is going on in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise EchoAugmentError(f"there is no cache at {folder}")
    kept, lost, moved = 0, list[Damage](), list[str]()
    with hold(folder):
        for name in follow(list_shards(folder), "repair", unit="shard", show=progress):
            path = folder / SHARDS / name
            damage = verify_shard(path)
            if not damage:
                continue
            (folder / QUARANTINE).mkdir(exist_ok=True)
            shutil.copyfile(path, folder / QUARANTINE / name)
            clips, sealed = _salvage(path, folder)
            kept += clips
            if path not in sealed:  # a mended shard gets its old name back
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
    """Write the whole clips of a damaged shard to a new one; return their number, and the new shard."""
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
                with contextlib.suppress(EchoAugmentError):  # verify_shard has reported it
                    writer.add(reader.clip(row))
                    kept += 1
    return kept, writer.sealed


def mend(path: Path) -> bool:
    """Mend one flipped bit in the preamble and one in the tables of a shard, in place; return whether it worked."""
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
    """Return ``data`` with the one bit flipped that makes its CRC-32 equal to ``crc``, or None if no single bit does.

    A CRC is linear: the difference of two checksums depends only on the position of the flipped bit, counted from the
    end. So the loop steps through the differences of all positions, one shift each.

    Args:
        data: damaged bytes, at most 4 MiB.
        crc: CRC-32 of the undamaged bytes.
    """
    wanted = crc32(data) ^ crc
    if wanted == 0:
        return data
    if len(data) > MAX_BYTES:
        return None
    # How the checksum changes if the top bit of the last byte flips, the last bit that enters the register.
    state = POLYNOMIAL
    for position in range(len(data) * 8):
        if state == wanted:
            k, bit = len(data) - 1 - position // 8, 7 - position % 8
            mended = bytearray(data)
            mended[k] ^= 1 << bit
            return bytes(mended) if crc32(mended) == crc else None
        state = (state >> 1) ^ (POLYNOMIAL if state & 1 else 0)
    return None
