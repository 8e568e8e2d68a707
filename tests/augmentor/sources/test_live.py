"""Live sources with real processes."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from fakes import live as live_fakes
from fakes.echo import FakeEcho
from fakes.live import live, until
from torch.utils.data import DataLoader

from echo_augment.augmentor import CachedClips, SyntheticAugment
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.processes import alive


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_any_start_method_are_served(method):
    with live(start_method=method, on_empty="wait", max_reuse=1) as source:
        train = SyntheticAugment(FakeEcho(target_type=["EF", "Filename"]), source, p=0.5)
        loader = DataLoader(train, batch_size=4, num_workers=1, multiprocessing_context=method)
        names = [name for _, (_, batch) in loader for name in batch]
        assert train.stats() == {"epoch": 0, "real": 6, "cached": 0, "fresh": 6, "fallback": 0}
        fresh = [name for name in names if name.startswith("p")]
        assert len(set(fresh)) == 6, "max_reuse=1 serves each clip once"


def test_training_never_waits_and_the_fallback_is_counted():
    with live(live_fakes.never) as source:
        train = SyntheticAugment(FakeEcho(), source, p=0.5)
        begin = time.monotonic()
        items = list(train)
        assert time.monotonic() - begin < 1
        assert all(np.array_equal(items[i][0], train.base[i][0]) for i in range(12))
        assert train.stats() == {"epoch": 0, "real": 6, "cached": 0, "fresh": 0, "fallback": 6}


def test_rounds_after_the_plan_have_new_clips():
    with live(max_reuse=1, on_empty="wait") as source:
        names = [source[k].clip_id for k in range(90)]
    assert len(set(names)) == 90 and {"p00", "p00+1", "p00+2"} <= set(names)


@pytest.mark.parametrize(
    ("factory", "cause"),
    [
        (live_fakes.broken, "RuntimeError: no weights at nowhere"),
        (live_fakes.breaks_later, "MemoryError: out of memory on cuda:0"),
        (live_fakes.dies, "exit code -9"),
        (live_fakes.too_large, "EchoAugmentError: clip 'big' is"),
    ],
)
def test_a_dead_generator_is_warned_of_by_its_cause_and_training_goes_on(factory, cause, capfd):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        source = live(factory, on_empty="wait")
        assert until(lambda: any("generator process" in str(item.message) for item in caught))
    message = next(str(item.message) for item in caught if "generator process" in str(item.message))
    assert cause in message and "goes on" in message
    assert source.stats()["state"] == "failed" and cause in source.stats()["cause"]
    train = SyntheticAugment(FakeEcho(), source, p=1.0)
    for epoch in range(4):
        train.set_epoch(epoch)
        assert len(list(train)) == 12
    assert train.stats()["fallback"] == 12
    source.strict = True
    with pytest.raises(RuntimeError, match="died"):
        train[0]
    source.close()


def test_kills_at_random_moments_stop_nothing():
    rng = np.random.default_rng(0)
    for _ in range(8):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            with live(max_reuse=1) as source:
                train = SyntheticAugment(FakeEcho(n=40), source, p=1.0)
                kill_at = int(rng.integers(0, 40))
                for index in range(40):
                    if index == kill_at:
                        os.kill(source.pid, signal.SIGKILL)
                    begin = time.monotonic()
                    train[index]
                    assert time.monotonic() - begin < 1
                counts = train.stats()
                assert counts["fresh"] + counts["fallback"] == 40
                assert until(lambda source=source: source.stats()["state"] == "failed")


def test_close_ends_the_process_and_seals_what_was_written_through(tmp_path):
    with live(write_to=tmp_path / "cache") as source:
        assert source.ready(8)
        pid = source.pid
    assert not alive(pid)
    cached = CachedClips(tmp_path / "cache")
    assert len(cached) >= 8 and cached.fingerprint == "live1"
    assert all(np.array_equal(clip.frames, live_fakes.picture(clip.clip_id)) for clip in cached)


PARENT = """
import os, signal, sys, time
sys.path.insert(0, {folder!r})
from fakes import live as live_fakes
from torch.utils.data import DataLoader
from fakes.echo import FakeEcho
from echo_augment.augmentor import LiveClips, SyntheticAugment

if __name__ == "__main__":
    source = LiveClips(live_fakes.fast, live_fakes.LINES, slots=8, shape=(16, 16, 16), start_method="fork")
    source.ready(2)
    batches = iter(DataLoader(SyntheticAugment(FakeEcho(), source), num_workers=1))
    next(batches)
    print(source.pid, os.getpid(), batches._workers[0].pid, flush=True)
    {end}
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0),
        # A background job of a shell starts with Ctrl-C ignored, and Python then leaves it so.
        ("signal.signal(2, signal.default_int_handler); os.kill(os.getpid(), 2); time.sleep(60)", -2),
        ("os.kill(os.getpid(), 9)", -9),
        ("raise RuntimeError('training failed')", 1),
    ],
    ids=["exit", "ctrl-c", "kill", "exception"],
)
def test_nothing_stays_behind_however_the_parent_ends(end, code, tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(folder=str(Path(__file__).parents[2]), end=end))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 3 and until(lambda: not any(alive(pid) for pid in pids), 60)
    shared = Path("/dev/shm")
    left = [path.name for path in shared.iterdir()] if shared.is_dir() else []
    assert not [
        name for name in left if name.startswith(tuple(f"{kind}_{pid}" for kind in ("torch", "psm") for pid in pids))
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"slots": 0}, "slots must"),
        ({"max_reuse": 256}, "max_reuse must be a whole number from 1 to 255, got 256"),
        ({"on_empty": "cached"}, "MixedClips"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(EchoAugmentError, match=words):
        live(**arguments)
