"""A training repeated is bit-equal, and one that was interrupted goes on as if it had not been."""

import json

import numpy as np
import pytest
import torch
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import DataLoader

from echo_augment.augmentor import InMemoryClips, SyntheticAugment

EPOCHS, BATCH = 3, 4
SOURCE = InMemoryClips((make_clip(seed) for seed in range(10)), fingerprint="f1")


def wrapped():
    return SyntheticAugment(FakeEcho(n=18, noise=0.1), SOURCE, p=[0.3, 0.6], seed=7, weights=True)


def shuffled(epoch):
    return torch.Generator().manual_seed(epoch)


def training(workers, **options):
    """Every batch of three epochs, as bytes, and the weights that a model ends with."""
    train, model = wrapped(), torch.zeros(3 * 8 * 16 * 16, requires_grad=True)
    batches = []
    for epoch in range(EPOCHS):
        train.set_epoch(epoch)
        loader = DataLoader(
            train, batch_size=BATCH, shuffle=True, generator=shuffled(epoch), num_workers=workers, **options
        )
        for video, ef, weight in loader:
            batches.append(b"".join(part.numpy().tobytes() for part in (video, ef, weight)))
            loss = (weight * (video.flatten(1) @ model - ef) ** 2).mean()
            (step,) = torch.autograd.grad(loss, model)
            model = (model - 1e-6 * step).detach().requires_grad_()
    return batches, model.detach().numpy().tobytes()


def test_a_training_repeated_gives_the_same_batches_and_weights():
    first, weights = training(0)
    again, same = training(0)
    assert len(first) == EPOCHS * 5 == len(set(first)) and first == again and weights == same
    parallel, same = training(2, multiprocessing_context="fork")
    assert parallel == first and same == weights


def test_the_state_is_small_and_json():
    train = wrapped()
    train.set_epoch(2)
    text = json.dumps(train.state_dict())
    assert len(text) < 200
    other = wrapped()
    other.load_state_dict(json.loads(text))
    assert other.epoch == 2 and all(np.array_equal(other[i][0], train[i][0]) for i in range(18))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [1, 7, 12])
def test_interrupted_and_resumed_in_the_middle_of_an_epoch(workers, stop):
    """With torchdata's loader: the state after ``stop`` batches, taken to a new process, gives the rest."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader", reason='pip install "echo-augment[test]"')

    def run(state=None, until=None):
        train, batches = wrapped(), []
        done = 0 if state is None else state["done"]
        for epoch in range(done // 5, EPOCHS):
            train.set_epoch(epoch)
            loader = stateful.StatefulDataLoader(
                train,
                batch_size=BATCH,
                shuffle=True,
                generator=shuffled(epoch),
                num_workers=workers,
                **({"multiprocessing_context": "fork"} if workers else {}),
            )
            if state is not None and epoch == done // 5 and done % 5:
                loader.load_state_dict(state["loader"])
            for video, ef, weight in loader:
                batches.append(b"".join(part.numpy().tobytes() for part in (video, ef, weight)))
                if until is not None and done + len(batches) == until:
                    return batches, {"done": until, "loader": loader.state_dict()}
        return batches, None

    whole, _ = run()
    first, state = run(until=stop)
    rest, _ = run(state)
    assert len(whole) == 15 and first + rest == whole
