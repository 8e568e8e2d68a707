"""Fills in processes of their own, for tests that kill them.

With ``--serve`` this process reads one line of arguments after the other and forks a launcher for each, which forks a
process for every rank, as ``accelerate launch`` would: the imports, which take most of the time of a start, are done
once. It prints the process ids of the launcher and of its ranks. Without, it fills in this process, and writes
``going`` when the first clips are stored.
"""

import argparse
import ctypes
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.cache import fake_plan, gate, generate

from echo_augment.cache import EchoAugmentError, fill

NOBODY = 65534
SET_CHILD_SUBREAPER = 36  # of prctl: ranks whose launcher is dead become this process's children
plan_of = lru_cache(fake_plan)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--shard-clips", type=int, default=7)
    parser.add_argument("--world", type=int, default=1)
    parser.add_argument("--nobody", action="store_true", help="the ranks give up root's right to write everywhere")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, rank: int, say: Callable[[str], None]) -> None:
    def slowly(lines):
        time.sleep(options.pause)
        return generate(lines)

    settings = {"batch": 4, "shard_clips": options.shard_clips, "gates": [gate], "progress": False}
    fill(plan_of(options.n), slowly, options.folder, rank=rank, world=options.world, say=say, **settings)


def start_rank(options: argparse.Namespace, rank: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        if options.nobody:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        run(options, rank, lambda text: None)
        code = 0
    except EchoAugmentError as error:
        os.write(2, f"error: {error}\n".encode())  # in one piece: both ranks write to the same file
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def launch(options: argparse.Namespace) -> None:
    ranks = [start_rank(options, rank) for rank in range(options.world)]
    print(os.getpid(), *ranks, flush=True)
    for rank in ranks:
        os.waitpid(rank, 0)


def serve() -> None:
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory() as folder:  # whatever is imported late is imported now
        run(parse([folder, "--n", "9"]), 0, lambda text: None)
    print("ready", flush=True)
    for line in sys.stdin:
        options = parse(line.split())
        plan_of(options.n)
        while reap():
            pass
        if not os.fork():
            try:
                launch(options)
            finally:
                os._exit(0)


def reap() -> bool:
    """Whether an ended child was cleared away."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] > 0
    except ChildProcessError:
        return False


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        print("ready", flush=True)
        try:
            run(parse(sys.argv[1:]), 0, lambda text: print("going", flush=True))
        except KeyboardInterrupt:
            sys.exit(130)
