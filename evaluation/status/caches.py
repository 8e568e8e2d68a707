"""How far the filling of a cache is, by one process or by the tasks of a Slurm array."""

import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.fill import PLAN
from echo_augment.cache.manifest import SHARDS, Manifest, build, list_shards, load
from echo_augment.cache.plan import Plan
from echo_augment.cache.rejections import count_reasons, read_reasons
from echo_augment.cache.system.locks import Holder, holder_of, lock_path
from echo_augment.cache.system.progress import plural

from .state import State, age, who

LOCK = re.compile(r"fill-(\d+)-of-(\d+)\.lock")
TRIES = 3


def is_cache(folder: Path) -> bool:
    """Return whether a folder is that of a cache which is filled from a plan."""
    return (folder / PLAN).is_file()


@dataclass(frozen=True, slots=True)
class Part:
    """One process's share of a fill.

    Attributes:
        rank: number of the process.
        wanted: clips that it is to make.
        sealed: how many of them are in the cache.
        holder: who works at it now.
    """

    rank: int
    wanted: int
    sealed: int
    holder: Holder | None

    @property
    def left(self) -> int:
        """Clips that are still to be made."""
        return max(0, self.wanted - self.sealed)

    def line(self, world: int) -> str:
        """Return what is told of it."""
        count = f"{self.sealed:,} of {plural(self.wanted, 'clip')}"
        return count if world == 1 else f"rank {self.rank} of {world}: {count}"


def sealed(folder: Path) -> Manifest:
    """Return the sealed clips without storing anything. A shard may come or go meanwhile: then it is looked at again.

    Raises:
        EchoAugmentError: a shard is damaged.
    """
    for _ in range(TRIES - 1):
        with suppress(EchoAugmentError):
            return build(folder, list_shards(folder), load(folder))
    return build(folder, list_shards(folder), load(folder))


def world_of(folder: Path) -> int:
    """Return how many processes share the fill, as the newest of their locks says, which stay; 1 without any."""
    locks = sorted(folder.glob("fill-*-of-*.lock"), key=lambda path: path.stat().st_mtime)
    found = [match for path in locks if (match := LOCK.fullmatch(path.name))]
    return int(found[-1][2]) if found else 1


def pace(folder: Path, manifest: Manifest, since: float) -> float | None:
    """Return the clips a second by the shards that were sealed in the last ``since`` seconds; None without any.

    A process seals the clips of some minutes at a time, so the first minutes of a fill have no pace.
    """
    counts = Counter(manifest.shards[int(number)] for number in manifest.table["shard"])
    ages = {name: seconds for name in counts if (seconds := age(folder / SHARDS / name)) is not None}
    fresh = {name: seconds for name, seconds in ages.items() if seconds <= since}
    span = since - min(fresh.values(), default=since)
    return sum(counts[name] for name in fresh) / span if span > 0 else None


def cache_state(folder: Path, job: str = "fill-cache") -> State:
    """Return how far the fill of a cache is.

    Raises:
        EchoAugmentError: the plan or a shard is damaged.
    """
    plan, manifest, reasons = Plan.load(folder / PLAN), sealed(folder), read_reasons(folder)
    ids, world = {bytes(value).decode() for value in manifest.table["id"]}, world_of(folder)
    parts = []
    for rank in range(world):
        share = plan.share(rank, world)
        own = sum(line.clip_id in ids for line in share.lines + share.reserve)
        parts.append(Part(rank, len(share.lines), own, holder_of(lock_path(folder, rank, world))))
    wanted, there = len(plan.lines), sum(part.sealed for part in parts)
    refused = ", ".join(f"{count:,} {kind}" for kind, count in count_reasons(reasons).items())
    done = [f"{there:,} of {plural(wanted, 'clip')} are sealed" + (f"; refused: {refused}" if refused else "")]
    working = [part for part in parts if part.holder is not None]
    told = [f"{part.line(world)}; {who([part.holder])[0]}" for part in working if part.holder is not None]
    resting = [part for part in parts if part.left and part.holder is None]
    left = sum(part.left for part in parts)
    lines = [f"{plural(left, 'clip')}"] if left else []
    if left and world > 1:
        lines += [f"{part.line(world)}; nobody works at it" for part in resting]
    began = [seconds for part in working if part.holder and (seconds := begun(part.holder)) is not None]
    speed = pace(folder, manifest, max(began)) if began else None
    used_up = left > 0 and not working and not plan.remaining(ids, set(reasons))
    if used_up:
        lines = [f"nothing: the reserve is used up, and the cache stays {plural(left, 'clip')} smaller"]
    return State(
        folder=folder,
        job=job,
        done=done,
        running=told,
        left=lines,
        seconds=None if speed is None else left / speed,
        finished=left == 0 or used_up,
    )


def begun(holder: Holder) -> float | None:
    """Return the seconds since a process has taken its lock, by the clock of its machine; None if it does not tell."""
    try:
        return max(1.0, time.time() - time.mktime(time.strptime(holder.since, "%Y-%m-%d %H:%M:%S")))
    except (ValueError, OverflowError):
        return None
