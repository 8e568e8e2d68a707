"""Loops that never set an epoch, samplers, splits and evaluations around the wrapper."""

import os
import warnings

import albumentations as A
import numpy as np
import pytest
import torch
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import DataLoader, Subset, WeightedRandomSampler, random_split

from echo_augment.augmentor import ClassicalAugment, ImageFields, InMemoryClips, SyntheticAugment

SOURCE = InMemoryClips(make_clip(seed) for seed in range(10))


@pytest.fixture
def printed(monkeypatch):
    """Let warnings of worker processes reach stderr, as they do outside pytest."""
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_, **__: os.write(2, f"{message}\n".encode()))


# ------------------------------------------------------------------------------------------- nobody calls set_epoch
AGAIN = "set_epoch was never called"


def small(**changes):
    return SyntheticAugment(FakeEcho(n=6), SOURCE, p=0.5, **changes)


def test_a_loop_without_set_epoch_is_told_once():
    train = small()
    list(train)
    with pytest.warns(UserWarning, match=AGAIN) as told:
        list(train), list(train)
    assert len(told) == 1


def test_workers_started_anew_for_every_epoch_see_the_marks(capfd, printed):
    train = small()
    loader = DataLoader(train, num_workers=1, multiprocessing_context="fork")
    list(loader)
    assert AGAIN not in capfd.readouterr().err
    list(loader), list(loader)
    assert capfd.readouterr().err.count(AGAIN) == 1


@pytest.mark.parametrize("start", ["set_epoch", "load_state_dict", "outer"])
def test_a_loop_that_sets_epochs_is_told_nothing(start, recwarn):
    train = small()
    outer = ClassicalAugment(train, fields=ImageFields())
    for epoch in range(3):
        if start == "outer":
            outer.set_epoch(epoch)
            list(outer)
        elif start == "set_epoch":
            train.set_epoch(epoch)
        else:
            train.load_state_dict(train.state_dict())
        list(train)
    assert not [one for one in recwarn if AGAIN in str(one.message)]


def test_classical_augmentation_alone_is_told_too():
    with pytest.warns(UserWarning, match=f"ClassicalAugment: items are read again and {AGAIN}"):
        train = ClassicalAugment(FakeEcho(n=2, length=2), transform=A.HorizontalFlip())
        list(train), list(train)


# ----------------------------------------------------------------------------------------- samplers and evaluation
def test_weights_are_the_ef_that_items_have():
    for mode in ("replace", "extend"):
        train = small(mode=mode, seed=3)
        for epoch in range(3):
            train.set_epoch(epoch)
            assert np.allclose(train.weights(), [float(ef) for _, ef, *_ in train])


def test_a_sampler_with_them_draws_as_many_low_ef_as_asked():
    for mode in ("replace", "extend"):
        train = SyntheticAugment(FakeEcho(n=60), SOURCE, p=0.5, mode=mode)
        train.set_epoch(0)
        low = train.weights() < 26
        weights = np.where(low, 0.75 / low.sum(), 0.25 / (~low).sum())
        drawn = list(WeightedRandomSampler(weights.tolist(), 4000, generator=torch.Generator().manual_seed(0)))
        found = np.array([float(ef) for _, ef in train])
        assert np.mean(found[drawn] < 26) == pytest.approx(0.75, abs=0.03)


def test_weights_are_nan_where_the_ef_is_not_known():
    class Fresh(InMemoryClips):
        def take(self, index, key):
            return self[index], "fresh"

    train = SyntheticAugment(FakeEcho(n=6), Fresh(make_clip(seed) for seed in range(10)), p=0.5)
    made = np.array([train.is_synthetic(i) for i in range(6)])
    assert np.isnan(train.weights()[made]).all() and np.isfinite(train.weights()[~made]).all()
    plain = [(np.zeros((1, 2, 4, 4), np.float32), np.float32(50))] * 4
    train = SyntheticAugment(plain, SOURCE, p=0.5, adapter=lambda clip, rng: plain[0])
    made = np.array([train.is_synthetic(i) for i in range(4)])
    assert np.isfinite(train.weights()[made]).all() and np.isnan(train.weights()[~made]).all()
    given = SyntheticAugment(plain, SOURCE, p=0.0, adapter=lambda clip, rng: plain[0], ef=[1, 2, 3, 4])
    assert given.weights().tolist() == [1, 2, 3, 4]


def test_real_only_has_no_synthetic_item():
    base = FakeEcho(n=6, target_type="Filename")
    train = SyntheticAugment(base, SOURCE, p=1.0)
    real = train.real_only()
    assert [real[i][1] for i in range(len(real))] == base.fnames
    twice = SyntheticAugment(train, SOURCE, p=1.0).real_only()
    assert [twice[i][1] for i in range(6)] == base.fnames
    _, val = random_split(train, [3, 3], generator=torch.Generator().manual_seed(0))
    assert all(name.startswith("real") for _, name in Subset(train.real_only(), val.indices))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_synthetic_item_in_an_evaluation_is_told_once(mode, recwarn):
    train = small()
    _, val = random_split(train, [2, 4], generator=torch.Generator().manual_seed(0))
    with mode():
        [train.real_only()[i] for i in range(6)]
    list(val)
    train.set_epoch(1)
    assert not [one for one in recwarn if "real_only" in str(one.message)]
    with mode(), pytest.warns(UserWarning, match=r"evaluate on real_only\(\)") as told:
        list(val), list(train)
    assert len(told) == 1


def test_an_evaluation_in_workers_is_told_once(capfd, printed):
    train = small()
    with torch.no_grad():
        list(DataLoader(train, num_workers=1, multiprocessing_context="fork"))
    assert capfd.readouterr().err.count("evaluate on real_only()") == 1
