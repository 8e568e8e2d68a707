"""The reader in a DataLoader: the same samples however many workers there are and however they start."""

import multiprocessing

import numpy as np
import pytest
from torch.utils.data import DataLoader

from echo_augment.augmentor.data import EchoNetDynamic

TARGETS = ["Filename", "EF", "LargeFrame", "SmallTrace"]


def load(data, workers, method=None, **options):
    context = multiprocessing.get_context(method) if method else None
    loader = DataLoader(data, batch_size=2, num_workers=workers, multiprocessing_context=context, **options)
    return [(clip.numpy(), ef.numpy(), names) for clip, (names, ef, _, _) in loader]


def same(first, second):
    return len(first) == len(second) and all(
        np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) and a[2] == b[2]
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize(("workers", "method"), [(1, "fork"), (3, "fork"), (2, "forkserver"), (2, "spawn")])
def test_workers_change_nothing(good, workers, method):
    data = EchoNetDynamic(good, target_type=TARGETS, length=4, pad=4, noise=0.1)
    data.set_epoch(2)
    assert same(load(data, 0), load(data, workers, method))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_epoch_reaches_persistent_workers(good, method):
    data = EchoNetDynamic(good, target_type=TARGETS, length=4, pad=4)
    context = multiprocessing.get_context(method)
    loader = DataLoader(
        data, batch_size=4, num_workers=1, persistent_workers=True, multiprocessing_context=context, prefetch_factor=2
    )
    for epoch in (0, 1, 5):
        data.set_epoch(epoch)
        clips = next(iter(loader))[0].numpy()
        assert np.array_equal(clips, np.stack([data[index][0] for index in range(4)]))
