"""Live sources with real processes. `fork` where the start method does not matter: it is quick."""

import os
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import live as live_fakes
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import DataLoader

from echo_augment.augmentor import CachedClips, InMemoryClips, LiveClips, MixedClips, SyntheticAugment
from echo_augment.augmentor.sources.ring import ClipRing
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.processes import alive

SHAPE = (16, 16, 16)
FORK = torch.multiprocessing.get_context("fork")


def live(factory=live_fakes.fast, **options):
    return LiveClips(
        factory, live_fakes.LINES, **{"slots": 8, "shape": SHAPE, "start_method": "fork", "nice": 0, **options}
    )


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.002)
    return met


# ------------------------------------------------------------------------------------------------ the ring
def test_a_clip_comes_out_as_it_went_in():
    ring = ClipRing(2, SHAPE, 1)
    for clip in (make_clip(3), make_clip(4, frames=9, masks=None, ef=float("nan"), provenance=None)):
        assert ring.put(clip)
        found = ring.take()
        assert np.array_equal(found.frames, clip.frames) and found.provenance == clip.provenance
        assert (found.clip_id, found.fps, found.ed_frame, found.confidence) == (clip.clip_id, 12.5, 2, 0.5)
        assert np.array_equal(found.ef, clip.ef, equal_nan=True)
        assert (found.masks is None) == (clip.masks is None)
        assert clip.masks is None or np.array_equal(found.masks, clip.masks)


def test_the_ring_is_bounded_and_serves_the_least_used_first():
    ring = ClipRing(2, SHAPE, 2)
    assert ring.take() is None
    assert [ring.put(make_clip(k)) for k in range(3)] == [True, True, False]
    served = [ring.take(turn=k).clip_id for k in range(4)]
    assert set(served[:2]) == set(served[2:]) == {"clip000", "clip001"}
    assert ring.take() is None and ring.available() == 0
    assert until(lambda: ring.put(make_clip(5))) and ring.take().clip_id == "clip005"


def test_a_slot_that_changes_while_it_is_read_is_not_served():
    ring = ClipRing(1, SHAPE, 5)
    ring.put(make_clip(0))
    ring._frames[0, 3, 3, 3] ^= 1
    assert ring.take() is None


def read_all(ring, seen, stop):
    found = []
    while not stop.is_set() or ring.available():
        clip = ring.take(os.getpid())
        if clip is not None:
            found.append((clip.clip_id, bool(np.array_equal(clip.frames, live_fakes.picture(clip.clip_id)))))
    seen.put(found)


def test_readers_in_a_race_never_exceed_the_reuse_nor_see_a_torn_clip():
    ring, seen, stop = ClipRing(3, SHAPE, 2), FORK.Queue(), FORK.Event()
    readers = [FORK.Process(target=read_all, args=(ring, seen, stop)) for _ in range(3)]
    for reader in readers:
        reader.start()
    for clip in live_fakes.render(live_fakes.LINES):
        assert until(lambda clip=clip: ring.put(clip))
    stop.set()
    found = [item for _ in readers for item in seen.get(timeout=20)]
    for reader in readers:
        reader.join()
    assert all(whole for _, whole in found)
    served = Counter(name for name, _ in found)
    assert max(served.values()) <= 2 and len(served) > len(live_fakes.LINES) // 2


def test_a_clip_larger_than_a_slot_is_named():
    with pytest.raises(EchoAugmentError, match=r"\(17, 16, 16\), the ring holds \(16, 16, 16\)"):
        ClipRing(1, SHAPE, 1).put(make_clip(0, frames=17, masks=None))


# ------------------------------------------------------------------------------------------------ the process
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


# ------------------------------------------------------------------------------------------------ mixed
CACHED = InMemoryClips(make_clip(seed) for seed in range(10))


@pytest.mark.parametrize(("on_empty", "cached_items"), [("cached", 12), ("real", None)])
def test_mixed_decides_by_seed_epoch_and_index_and_falls_back(on_empty, cached_items):
    def run(factory):
        with live(factory, max_reuse=100) as source:
            if factory is live_fakes.fast:
                assert source.ready(1)
            mixed = MixedClips(source, CACHED, fresh=0.5, on_empty=on_empty)
            train = SyntheticAugment(FakeEcho(target_type="Filename"), mixed, p=1.0)
            return [sample[1] for sample in train], train.stats()

    names, counts = run(live_fakes.fast)
    dry, dry_counts = run(live_fakes.never)
    assert 0 < counts["fresh"] < 12 and counts["cached"] == 12 - counts["fresh"] and counts["fallback"] == 0
    assert dry_counts["fallback"] == counts["fresh"] and dry_counts["fresh"] == 0
    for name, other in zip(names, dry, strict=True):
        if name.startswith("clip"):
            assert other == name, "a cached item stays what it is"
        else:
            assert other.startswith("clip" if cached_items else "real")


def test_mixed_waits_only_while_the_generator_lives():
    with live(live_fakes.slow) as source:
        train = SyntheticAugment(FakeEcho(), MixedClips(source, CACHED, fresh=1.0, on_empty="wait"), p=1.0)
        assert len(list(train)) == 12 and train.stats()["fresh"] == 12
    assert until(lambda: source.stats()["state"] == "stopped")
    train.set_epoch(1)
    train.set_epoch(2)
    assert len(list(train)) + len(list(train)) + len(list(train)) == 36 and train.stats()["fallback"] > 0


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
    with pytest.raises(EchoAugmentError, match=r"fresh must be in \[0, 1\], got 2"):
        MixedClips(CACHED, CACHED, fresh=2)
