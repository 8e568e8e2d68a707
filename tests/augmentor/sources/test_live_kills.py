"""A generator killed a hundred times at random moments: the training loop goes on. Figures are printed (``-s``)."""

import os
import random
import signal
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from fakes import live as live_fakes
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import DataLoader

from echo_augment.augmentor import InMemoryClips, LiveClips, MixedClips, SyntheticAugment
from echo_augment.cache.system.processes import alive

KILLS = 100
SMALL = {"slots": 8, "shape": (16, 16, 16), "start_method": "fork", "nice": 0}
FACTORIES = (live_fakes.fast, live_fakes.slow, live_fakes.fast_batches)
CACHED = InMemoryClips(make_clip(seed) for seed in range(10))


def queued() -> float:
    """Seconds this thread was ready to run but other processes had the processor; 0 where the system does not say."""
    path = Path("/proc/thread-self/schedstat")
    return int(path.read_text().split()[1]) / 1e9 if path.exists() else 0.0


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def timed(items):
    """Each item with the seconds it took, and those of them in which the machine was busy with other processes."""
    items = iter(items)
    while True:
        begin, waited = time.monotonic(), queued()
        try:
            item = next(items)
        except StopIteration:
            return
        yield item, time.monotonic() - begin, queued() - waited


def one_run(k, rng, workers):
    """A training of two epochs or more whose generator is killed once: longest item, with and without queue; counts."""
    base = FakeEcho(n=40, target_type="Filename")
    live = LiveClips(
        FACTORIES[k % 3],
        live_fakes.LINES,
        slots=8,
        shape=(16, 16, 16),
        max_reuse=1 + k % 2,
        start_method="fork",
        nice=0,
    )
    source = MixedClips(live, CACHED, fresh=0.7) if k % 4 == 3 else live
    killer = threading.Timer(rng.uniform(0, 0.15), os.kill, (live.pid, signal.SIGKILL))
    longest, held, served = 0.0, 0.0, {"real": 0, "cached": 0, "fresh": 0, "fallback": 0}
    with live:
        train = SyntheticAugment(base, source, p=0.75, seed=k)
        killer.start()
        epoch = 0
        while epoch < 2 or live.stats()["state"] != "failed":
            train.set_epoch(epoch)
            if workers:
                loader = DataLoader(train, batch_size=4, num_workers=workers, multiprocessing_context="fork")
                names = [name for batch in loader for name in batch[1]]
            else:
                names = []
                for (_, name), seconds, elsewhere in timed(train[i] for i in range(40)):
                    longest, held = max(longest, seconds), max(held, seconds - elsewhere)
                    names.append(name)
            counts = train.stats()
            assert len(names) == 40 == sum(counts[kind] for kind in served)
            assert counts["real"] == 10
            made = [name for name in names if not name.startswith("real")]
            assert len(made) == counts["fresh"] + counts["cached"] + (counts["fallback"] if source is not live else 0)
            for kind in served:
                served[kind] += counts[kind]
            epoch += 1
        killer.join()
        pid = live.pid
    assert not alive(pid)
    return longest, held, served, epoch


@pytest.mark.slow
def test_a_hundred_kills_stop_nothing():
    rng = random.Random(0)
    before = open_files()
    runs = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for k in range(KILLS):
            runs.append(one_run(k, rng, workers=2 if k % 10 == 9 else 0))
    killed = [item for item in caught if "generator process of LiveClips died (exit code -9)" in str(item.message)]
    total = {kind: sum(counts[kind] for _, _, counts, _ in runs) for kind in runs[0][2]}
    items = 40 * sum(epochs for *_, epochs in runs)
    longest, held = max(run[0] for run in runs), max(run[1] for run in runs)
    print(
        f"\n{KILLS} kills: {items} items, {total}; longest item {longest:.3f} s, {held:.3f} s of it not queueing for a "
        f"processor; median of the runs' longest {np.median([run[1] for run in runs]):.4f} s"
    )
    assert sum(total.values()) == items and len(killed) == KILLS
    assert total["fresh"] > 0 and total["fallback"] > 0
    assert held < 1
    assert open_files() <= before + 8


@pytest.mark.slow
def test_fifty_thousand_samples_leave_memory_and_files_flat(tmp_path):
    """Cached and fresh clips, through two persistent workers, 50 epochs of 1,000."""
    psutil = pytest.importorskip("psutil")
    from echo_augment.augmentor import CachedClips
    from echo_augment.cache import StoreWriter

    with StoreWriter(tmp_path / "cache", shard_clips=16) as writer:
        for seed in range(60):
            writer.add(make_clip(seed))
    live = LiveClips(live_fakes.fast, live_fakes.LINES, **SMALL)
    points = []
    with live:
        source = MixedClips(live, CachedClips(tmp_path / "cache"), fresh=0.25)
        train = SyntheticAugment(FakeEcho(n=1000, length=4), source, p=0.5, weights=True, provenance=True)
        loader = DataLoader(
            train, batch_size=50, num_workers=2, persistent_workers=True, multiprocessing_context="fork"
        )
        me = psutil.Process()
        for epoch in range(50):
            train.set_epoch(epoch)
            assert sum(len(batch[1]) for batch in loader) == 1000
            counts = train.stats()
            assert sum(counts[kind] for kind in ("real", "cached", "fresh", "fallback")) == 1000
            processes = [me, *me.children(recursive=True)]
            points.append((sum(p.memory_info().rss for p in processes) / 2**20, sum(p.num_fds() for p in processes)))
    rss, files = np.array(points)[10:].T
    slope, offset = np.polyfit(np.arange(len(rss)), rss, 1)
    noise = float(np.std(rss - slope * np.arange(len(rss)) - offset))
    error = noise / np.sqrt(np.sum((np.arange(len(rss)) - np.mean(np.arange(len(rss)))) ** 2))
    print(
        f"\n50,000 samples, 4 processes: RSS {rss[0]:.1f} to {rss[-1]:.1f} MiB, slope {slope:+.4f} +- {error:.4f} MiB "
        f"per 1,000 samples, noise {noise:.2f} MiB; open files {files.min():.0f} to {files.max():.0f}"
    )
    assert files.max() - files.min() <= 2
    assert slope < max(3 * error, 0.05), "more than 0.05 MiB per 1,000 samples, and beyond the noise"
