"""Fills in processes of their own, for tests that kill them.

With ``--serve`` this process reads one line of arguments after the other and forks a fill for each: the imports, which
take most of the time of a start, are done once. It writes the child's process id at once, and its exit status on
``wait PID``. Without, it writes ``going`` when the first clips are stored.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cache_fakes import fake_plan, gate, generate

from echo_augment.cache import fill


def run(arguments: list[str], say: Callable[[str], None]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--shard-clips", type=int, default=7)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world", type=int, default=1)
    options = parser.parse_args(arguments)

    def slowly(lines):
        time.sleep(options.pause)
        return generate(lines)

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
        say=say,
    )


def serve() -> None:
    for line in sys.stdin:
        words = line.split()
        if words[0] == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(int(words[1]), 0)[1]), flush=True)
            continue
        child = os.fork()
        if not child:
            try:
                run(words, lambda text: None)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(child, flush=True)


if __name__ == "__main__":
    print("ready", flush=True)
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        try:
            run(sys.argv[1:], lambda text: print("going", flush=True))
        except KeyboardInterrupt:
            sys.exit(130)
