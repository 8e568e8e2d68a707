"""Promise 2 with real worker processes, on a real cache."""

import os

import numpy as np
import pytest
import torch
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import DataLoader

from echo_augment.augmentor import CachedClips, SyntheticAugment
from echo_augment.augmentor.workers import ServedCounts
from echo_augment.cache import StoreWriter

METHODS = [name for name in ("fork", "forkserver", "spawn") if name in torch.multiprocessing.get_all_start_methods()]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with StoreWriter(folder, shard_clips=4) as writer:
        for seed in range(10):
            writer.add(make_clip(seed))
    return folder


def wrapped(cache):
    return SyntheticAugment(FakeEcho(target_type=["EF", "Filename"]), CachedClips(cache), p=0.5, seed=3)


def epochs(train, workers, method=None, count=2, **options):
    """All batches of some epochs, and the counts of each."""
    loader = DataLoader(train, batch_size=4, num_workers=workers, multiprocessing_context=method, **options)
    batches, counts = [], []
    for epoch in range(count):
        train.set_epoch(epoch)
        batches += [(video.numpy(), ef.numpy(), names) for video, (ef, names) in loader]
        counts.append(train.stats())
    return batches, counts


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("method", METHODS)
def test_items_are_the_same_for_any_workers_and_start_method(cache, method):
    torch.multiprocessing.get_context("forkserver").set_forkserver_preload(["echo_augment.augmentor"])
    plain, counts = epochs(wrapped(cache), 0)
    assert counts == [{"epoch": e, "real": 6, "cached": 6, "fresh": 0, "fallback": 0} for e in range(2)]
    assert any(name.startswith("clip") for _, _, names in plain for name in names)
    assert not np.array_equal(plain[0][0], plain[3][0]), "the second epoch is another one"
    for workers in (1, 3):
        made, counted = epochs(wrapped(cache), workers, method, persistent_workers=True)
        assert counted == counts
        for (video, ef, names), (video0, ef0, names0) in zip(made, plain, strict=True):
            assert np.array_equal(video, video0) and np.array_equal(ef, ef0) and names == names0


def test_workers_started_anew_each_epoch_see_the_epoch_and_are_counted(cache):
    plain, counts = epochs(wrapped(cache), 0, count=3)
    made, counted = epochs(wrapped(cache), 2, "fork", count=3)
    assert counted == counts
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(made, plain, strict=True))


def test_two_loaders_at_once_lose_no_count(cache):
    train = wrapped(cache)
    loaders = [iter(DataLoader(train, batch_size=4, num_workers=2, multiprocessing_context="fork")) for _ in range(2)]
    for _ in range(3):
        for loader in loaders:
            next(loader)
    assert train.stats() | {"epoch": 0} == {"epoch": 0, "real": 12, "cached": 12, "fresh": 0, "fallback": 0}


def test_a_row_of_a_process_that_has_ended_is_taken_over():
    counts = ServedCounts()
    child = torch.multiprocessing.get_context("fork").Process(target=counts.add, args=("real", 0))
    child.start()
    child.join()
    counts.add("real", 0)
    assert counts.total(0)["real"] == 2
    owners = counts._rows._owners.numpy()
    assert sorted(set(owners)) == [0, os.getpid()]


def test_a_resumed_epoch_goes_on_with_the_same_batches(cache):
    whole, _ = epochs(wrapped(cache), 0)
    train = wrapped(cache)
    train.set_epoch(1)
    state = train.state_dict()
    resumed = wrapped(cache)
    resumed.load_state_dict(state)
    rest = DataLoader(torch.utils.data.Subset(resumed, range(4, 12)), batch_size=4, num_workers=1)
    for (video, _), (expected, _, _) in zip(rest, whole[4:], strict=True):
        assert np.array_equal(video.numpy(), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_torchdata_resumes_in_the_middle_of_an_epoch(cache, workers):
    stateful = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")

    def loader(train):
        return stateful.StatefulDataLoader(train, batch_size=2, num_workers=workers)

    whole = wrapped(cache)
    whole.set_epoch(4)
    expected = [video.numpy() for video, _ in loader(whole)]
    stopped = wrapped(cache)
    stopped.set_epoch(4)
    first = loader(stopped)
    batches = iter(first)
    next(batches), next(batches)
    state = first.state_dict()
    resumed = wrapped(cache)
    second = loader(resumed)
    second.load_state_dict(state)
    rest = [video.numpy() for video, _ in second]
    assert len(rest) == 4 and all(np.array_equal(a, b) for a, b in zip(rest, expected[2:], strict=True))
