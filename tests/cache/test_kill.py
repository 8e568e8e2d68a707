"""Kill -9 at any moment, of the launcher and of the processes that fill: nothing sealed is lost, torn or doubled.

``pytest tests/cache/test_kill.py -m slow -s`` kills 200 times on a roomy disk, on a full one, and in a folder that
becomes read-only, and prints what it counted.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes.cache import assert_same_clip, check_complete, fake_plan, gate, generate

from echo_augment.cache import ClipStore, EchoAugmentError, fill
from echo_augment.cache.manifest import SHARDS, list_shards
from echo_augment.cache.shard.reader import ShardReader
from echo_augment.cache.shard.writer import ROOM_BYTES

SCRIPT = Path(__file__).parents[1] / "fakes" / "fill_process.py"
WORLD = 2


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Killer:
    """Starts fills of two processes, kills them, and counts what went wrong."""

    def __init__(self, folder: Path, n: int, seed: int, *options: str) -> None:
        self.folder, self.options = folder, ["--n", str(n), "--world", str(WORLD), "--pause", "0.01", *options]
        self.rng, self.plan = np.random.default_rng(seed), fake_plan(n)
        self.lines = {line.clip_id: line for line in self.plan.lines + self.plan.reserve}
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        command = [sys.executable, str(SCRIPT), "--serve"]
        self.server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True
        )
        assert self.server.stdout.readline() == "ready\n"
        self.kills: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter({"lost": 0, "corrupt": 0, "doubled": 0})
        self.rounds, self.shards = 0, dict[str, int]()
        self.sealed: Counter[str] = Counter()

    def start(self) -> dict[str, list[int]]:
        self.server.stdin.write(" ".join([str(self.folder), *self.options]) + "\n")
        self.server.stdin.flush()
        launcher, *ranks = map(int, self.server.stdout.readline().split())
        return {"launcher": [launcher], "rank": ranks}

    def round(self, on_the_way: Callable[[], object] | None = None, linger: float = 0.0) -> None:
        """Start, kill all one after the other at random moments, and look at what is there.

        Args:
            on_the_way: called at a random moment of the fill.
            linger: seconds to wait then for a process to end by itself, before the first kill.
        """
        started = [(kind, process) for kind, found in self.start().items() for process in found]
        goal, until = len(list_shards(self.folder)) + self.rng.integers(0, 3), time.monotonic() + 10
        while len(list_shards(self.folder)) < goal and time.monotonic() < until and alive(started[0][1]):
            time.sleep(0.001)
        if on_the_way is not None:
            time.sleep(self.rng.uniform(0, 0.03))
            on_the_way()
        until = time.monotonic() + linger
        while time.monotonic() < until and all(alive(process) for _, process in started):
            time.sleep(0.001)
        for place in self.rng.permutation(len(started)):
            kind, process = started[place]
            time.sleep(self.rng.uniform(0, 0.03))
            if alive(process):
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:  # it ended by itself since it was looked at: no kill
                    continue
                self.kills[kind] += 1
                while alive(process):
                    time.sleep(0.001)
        self.rounds += 1
        self.audit()

    @property
    def sometimes(self) -> float:
        """Seconds: long enough for the fill to end by itself in the first and every few rounds, else hardly any."""
        return 60.0 if self.rounds == 0 or self.rng.random() < 0.2 else self.rng.uniform(0, 0.1)

    def audit(self) -> None:
        """Count shards that went, clips that lie twice, and clips that are served and are not what they should be."""
        now = list_shards(self.folder)
        self.wrong["lost"] += sum(now.get(name) != size for name, size in self.shards.items())
        for name in now.keys() - self.shards.keys():
            reader = ShardReader(self.folder / SHARDS / name)
            self.sealed.update(bytes(value).decode() for value in reader.table["id"])
            reader.close()
        self.wrong["doubled"] = self.sealed.total() - len(self.sealed)
        store = ClipStore(self.folder)
        self.wrong["lost"] += len(set(self.sealed) - set(store.ids))
        fresh = now.keys() - self.shards.keys()
        some = {int(k) for k in self.rng.permutation(len(store))[:20]}
        for k in range(len(store)):
            if k in some or store.shard_of(k) in fresh:
                self.look_at(store, k)
        store.close()
        self.shards = now

    def look_at(self, store: ClipStore, k: int) -> None:
        try:
            clip = store[k]
            assert_same_clip(clip, generate([self.lines[clip.clip_id]])[0])
        except (AssertionError, EchoAugmentError):
            self.wrong["corrupt"] += 1

    def finish(self) -> str:
        """Fill what is left, check all of it, and tell what was counted; also what the killed fills said."""
        self.server.communicate()
        self.before = len(self.sealed)
        self.said.seek(0)
        text = self.said.read()
        self.said.close()
        assert self.before < len(self.plan.lines), f"the plan was done after {self.kills.total()} kills: longer!"
        left, options = len(self.plan.lines) - self.before, {"progress": False, "say": lambda text: None}
        for rank in range(WORLD):
            assert fill(self.plan, generate, self.folder, gates=[gate], rank=rank, world=WORLD, **options).complete
        assert not list((self.folder / SHARDS).glob(".clips-*"))
        self.audit()
        check_complete(self.folder, self.plan, gate)
        print(
            f"{self.kills.total()} kills -9 ({self.kills['launcher']} of the parent, {self.kills['rank']} of workers): "
            f"{self.wrong['lost']} sealed clips lost, {self.wrong['corrupt']} corrupt served, {self.wrong['doubled']} "
            f"doubled; the last {left} of {len(self.plan.lines)} clips were made afterwards, the plan is there once"
        )
        return text


@pytest.fixture(params=[pytest.param(12, id="some"), pytest.param(200, id="200", marks=pytest.mark.slow)])
def kills(request):
    return request.param


def seed_of(kills: int) -> int:
    return 0 if kills < 100 else int(time.time())


@pytest.fixture
def disk(tmp_path):
    """A tmpfs that everyone may reach; its folder, and what sets its size."""
    folder = Path(tempfile.mkdtemp(prefix="kill-"))
    folder.chmod(0o755)
    command = ["mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", folder]
    if subprocess.run(command, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    shutil.rmtree(folder)


def resize(disk: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", disk], check=True)


def test_kill_9_at_any_moment(tmp_path, kills):
    killer = Killer(tmp_path, 100 * kills, seed_of(kills))
    while killer.kills.total() < kills:
        killer.round()
    assert killer.finish() == "" and not +killer.wrong and killer.before > kills // 4


def test_kill_9_on_a_full_disk(disk, kills):
    """The disk is full again and again: each round there is room for two or three shards more."""
    killer = Killer(disk / "cache", 100 * kills, seed_of(kills))
    plan = 200 * len(killer.lines)  # bytes at most
    while killer.kills.total() < kills:
        resize(disk, (max(shutil.disk_usage(disk).used, plan) + ROOM_BYTES + 120_000) >> 10)
        killer.round(linger=killer.sometimes)
    resize(disk, 1 << 18)
    said = killer.finish()
    assert not +killer.wrong and killer.before > kills // 4
    refused = said.splitlines()
    assert refused and not [line for line in refused if "error: cannot write to the cache" not in line]
    print(f"the disk was full {len(refused)} times")


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="gives up root's rights")
def test_kill_9_in_a_folder_that_becomes_read_only(disk, kills):
    killer = Killer(disk / "cache", 100 * kills, seed_of(kills), "--nobody")
    shards = disk / "cache" / SHARDS
    while killer.kills.total() < kills:
        linger = killer.sometimes
        killer.round(lambda: shards.chmod(0o555) if shards.exists() else None, linger if shards.exists() else 0)
        if shards.exists():
            shards.chmod(0o755)
    said = killer.finish()
    assert not +killer.wrong and killer.before > kills // 4
    refused = said.splitlines()
    assert refused and not [line for line in refused if not ("Permission denied" in line and "may write to" in line)]
    print(f"the folder was read-only {len(refused)} times")
