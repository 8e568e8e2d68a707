"""A fill in a process of its own, for tests that kill it."""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cache_fakes import fake_plan, gate, generate

from echo_augment.cache import fill


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--shard-clips", type=int, default=7)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world", type=int, default=1)
    options = parser.parse_args()

    def slowly(lines):
        time.sleep(options.pause)
        return generate(lines)

    print("ready", flush=True)
    fill(
        fake_plan(options.n),
        slowly,
        options.folder,
        batch=4,
        shard_clips=options.shard_clips,
        gates=[gate],
        rank=options.rank,
        world=options.world,
        progress=False,
        say=lambda text: None,
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
