"""What a cache's sealed shards hold of its plan, for the scripts beside this file.

``shares.py FOLDER WORLD`` prints how many clips of each share are sealed; with ``--exactly-once`` it also fails unless
the shards hold the plan exactly once. The shards themselves are read: the manifest would hide a clip that lies in two.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from echo_augment.cache import Plan
from echo_augment.cache.fill import PLAN
from echo_augment.cache.manifest import SHARDS, list_shards
from echo_augment.cache.rejections import Rejections
from echo_augment.cache.shard.reader import ShardReader


def sealed_ids(folder: Path) -> Counter[str]:
    """How often each clip lies in the sealed shards."""
    found: Counter[str] = Counter()
    for name in list_shards(folder):
        reader = ShardReader(folder / SHARDS / name)
        found.update(bytes(value).decode() for value in reader.table["id"])
        reader.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("world", type=int)
    parser.add_argument("--exactly-once", action="store_true")
    options = parser.parse_args()
    if not (options.folder / PLAN).exists():
        print(*[0] * options.world)
        return
    plan, found = Plan.load(options.folder / PLAN), sealed_ids(options.folder)
    shares = [plan.share(rank, options.world) for rank in range(options.world)]
    print(*[sum(line.clip_id in found for line in share.lines + share.reserve) for share in shares])
    if not options.exactly_once:
        return
    refused = set(Rejections(options.folder, world=options.world).reasons)
    planned = {line.clip_id for line in plan.lines + plan.reserve}
    doubled = [name for name, times in found.items() if times > 1]
    strange = set(found) - planned
    missing = {line.clip_id for line in plan.lines} - set(found) - refused
    print(
        f"{len(plan.lines)} clips planned, {len(refused)} refused, {found.total()} sealed in "
        f"{len(list_shards(options.folder))} shards: {len(doubled)} doubled, {len(strange)} not planned, "
        f"{len(missing)} missing"
    )
    if doubled or strange or missing or len(found) != len(plan.lines):
        sys.exit("the shards do not hold the plan exactly once")
    print("the shards hold the plan exactly once")


if __name__ == "__main__":
    main()
