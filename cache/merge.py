"""Join caches of one generator."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .errors import EchoAugmentError
from .fill import PLAN
from .gates import GATES, read_gates
from .maintenance import verify_shard
from .manifest import SHARDS, open_manifest
from .shard.reader import ShardReader
from .shard.writer import temporary_name
from .store import ClipStore
from .system.files import sync_folder, write_json
from .system.locks import hold
from .writer import StoreWriter


def merge(sources: Sequence[str | Path], out: str | Path) -> int:
    """Copy the clips of several caches into one; the sources do not change.

    Every shard is verified before it is copied. A shard of new clips is copied as a file; from a shard with some clips
    that ``out`` holds already, the others are written to a new shard, so that no id comes twice. May be killed and run
    again.

    Args:
        sources: cache folders.
        out: folder of the joined cache; may hold clips already.

    Returns:
        Number of clips added.

    Raises:
        EchoAugmentError: another fingerprint, other gates, a damaged shard, no such folder, or a fill is going on in
            ``out``.
    """
    stores = [ClipStore(source) for source in sources]
    out = Path(out)
    with hold(out):
        (out / SHARDS).mkdir(exist_ok=True)
        target = open_manifest(out)
        known = [("the merged cache", target.fingerprint)] if target.shards else []
        prints = dict([*known, *((str(store.folder), store.fingerprint) for store in stores if len(store))])
        if len(set(prints.values())) > 1:
            listed = ", ".join(f"{name}: {value!r}" for name, value in prints.items())
            raise EchoAugmentError(f"caches of different generators cannot be merged ({listed})", "Keep them apart")
        _agree_on_gates([store.folder for store in stores if len(store)], out, started=bool(target.shards))
        there = {bytes(value).decode() for value in target.table["id"]}
        before = len(there)
        for store in stores:
            for name in store.shards:
                _add_shard(store.folder / SHARDS / name, out, there)
        open_manifest(out)
    return len(there) - before


def _agree_on_gates(sources: Sequence[Path], out: Path, *, started: bool) -> None:
    """Raise if the clips passed different gates; write the gates of all of them to ``out``."""
    told = [("the merged cache", out)] if started or (out / PLAN).exists() else []
    files = {name: read_gates(folder) for name, folder in [*told, *((str(folder), folder) for folder in sources)]}
    found = list(files.values())
    if any(one.gates != found[0].gates for one in found):
        listed = ", ".join(f"{name}: {one.gates}" for name, one in files.items())
        raise EchoAugmentError(f"caches filled with different gates cannot be merged ({listed})", "Keep them apart")
    known = next((one for one in found if one.limits is not None), None)
    if known is not None and not (told and (out / GATES).exists()):
        write_json(out / GATES, known.to_json())


def _add_shard(path: Path, out: Path, there: set[str]) -> None:
    """Copy the clips of one shard whose ids are not in ``there``, and add these ids to it."""
    with contextlib.closing(ShardReader(path)) as reader:
        names = [reader.name(row) for row in range(len(reader))]
        new = [row for row, name in enumerate(names) if name not in there and name not in names[:row]]
        if not new:
            return
        damage = verify_shard(path)
        if damage:
            raise EchoAugmentError(damage[0].what, f"Run: echo-augment cache action=repair cache={path.parent.parent}")
        if len(new) == len(names):
            _copy(path, out / SHARDS)
        else:
            with StoreWriter(
                out,
                shard_clips=len(new),
                fingerprint=reader.preamble.fingerprint,
                compression=reader.compression,
                round_frames=reader.preamble.shape[0],
            ) as writer:
                for row in new:
                    writer.add(reader.clip(row))
        there.update(names[row] for row in new)


def _copy(path: Path, folder: Path) -> None:
    temporary = folder / temporary_name()
    try:
        shutil.copyfile(path, temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(folder / path.name)
        sync_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)
