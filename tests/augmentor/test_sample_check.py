"""Samples that only seem to be Echo's: who made them is looked at, and then their values."""

import functools

import numpy as np
import pytest
import torch
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import ConcatDataset, Dataset, Subset

from echo_augment.augmentor import ClassicalAugment, InMemoryClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.sample_check import mismatch, values_of
from echo_augment.cache.errors import EchoAugmentError

SOURCE = InMemoryClips(make_clip(seed, frames=16) for seed in range(8))
SCALE = {"mean": 32.0, "std": 50.0, "length": 8, "period": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_phantoms(tmp_path_factory.mktemp("data"), 4, num_frames=40, workers=1, splits=(1, 0, 0), format=2)


class Rescaled(EchoNetDynamic):
    def __getitem__(self, index):
        video, ef = super().__getitem__(index)
        return video, np.float32(ef / 100)


class Retargeted(EchoNetDynamic):
    def _target(self, index, shape, pictures):
        return np.float32(super()._target(index, shape, pictures) / 100)


class Renormalised(EchoNetDynamic):
    def _scale(self, pixels, out):
        np.divide(pixels, 255, out=out)


class Copied(EchoNetDynamic):
    @functools.wraps(FakeEcho.__getitem__)
    def __getitem__(self, index):
        return super().__getitem__(index)


class Wrapped(Dataset):
    """Passes every attribute on and scales the target."""

    def __init__(self, base):
        self.base = base

    def __len__(self):
        return len(self.base)

    def __getitem__(self, index):
        video, ef = self.base[index]
        return video / 255, np.float32(ef / 100)

    def __getattr__(self, name):
        if name == "base":
            raise AttributeError(name)
        return getattr(self.base, name)


class Reordered(Subset):
    def __getitem__(self, index):
        return super().__getitem__(len(self) - 1 - index)

    def __getitems__(self, indices):
        return [self[index] for index in indices]


@pytest.mark.parametrize("kind", [Rescaled, Retargeted, Renormalised, Copied])
def test_a_subclass_that_may_change_samples_needs_an_adapter(root, kind):
    base = kind(root, **SCALE)
    with pytest.raises(EchoAugmentError, match=f"{kind.__name__} looks like: its _?.* is not Echo's own.*adapter="):
        SyntheticAugment(base, SOURCE)
    with pytest.raises(EchoAugmentError, match=r"is not Echo.s own.*fields="):
        ClassicalAugment(Subset(base, [0]))


@pytest.mark.parametrize(
    "wrap", [Wrapped, lambda base: Reordered(base, [0, 1]), lambda base: ConcatDataset([Wrapped(base)])]
)
def test_a_wrapper_that_nobody_knows_needs_an_adapter(root, wrap):
    base = wrap(EchoNetDynamic(root, **SCALE))
    with pytest.raises(EchoAugmentError, match="does not know what a sample of"):
        SyntheticAugment(base, SOURCE)
    with pytest.raises(EchoAugmentError, match="Give ef="):
        SyntheticAugment(base, SOURCE, adapter=lambda clip, rng: None, p={(0, 100): 0.5})


def test_a_subclass_that_says_its_samples_are_echos_and_a_target_transform_are_taken(root):
    class Logs(EchoNetDynamic):
        def __getitem__(self, index):
            return super().__getitem__(index)

        __getitem__.echo_samples = True

    assert len(list(SyntheticAugment(Logs(root, **SCALE), SOURCE))) == 4
    scaled = EchoNetDynamic(root, target_transform=lambda ef: np.float32(ef / 100), **SCALE)
    assert max(float(ef) for _, ef in SyntheticAugment(scaled, SOURCE)) < 1


def pairs(video, ef, adapter, kind=np.float32):
    """Wrapped items of noise ``video * [0, 255] + offset`` and EF ``ef * 55``."""
    scale, offset = video
    grey = np.random.default_rng(0).integers(1, 256, (8, 1, 8, 16, 16))
    base = [((scale * one + offset).astype(np.float32), kind(ef * 55)) for one in grey]
    return SyntheticAugment(base, SOURCE, adapter=adapter)


def plain(clip, rng):
    return clip.frames[None, :8].astype(np.float32), np.float32(clip.ef)


@pytest.mark.parametrize(
    ("video", "ef", "words"),
    [
        ((1, 0), 0.01, r"sample\[1\] is about 0.55 in the dataset and \d+ from the adapter"),
        ((1 / 255, 0), 1, r"sample\[0\] has mean 0.5.* in the dataset, 1\d\d and 7\d.* from the adapter"),
        ((1 / 50, -0.6), 1, r"sample\[0\] has mean"),
        ((1, 400), 1, r"sample\[0\] has mean 5"),
        ((1, 0), 100, r"sample\[1\] is about 5.5e\+03"),
    ],
)
def test_an_adapter_whose_values_are_of_another_range_is_refused(video, ef, words):
    with pytest.raises(EchoAugmentError, match=words):
        list(pairs(video, ef, plain))
    assert len(list(pairs((1, 0), 1, plain))) == 8


def test_tensors_and_nested_samples_are_compared_and_odd_ones_left_alone():
    def sample(scale):
        return {"x": [torch.rand(1, 4, 8, 8) * scale, torch.tensor([30.0 * scale])], "n": 3, "name": "a", "no": np.nan}

    one, other = dict(values_of(sample(1))), dict(values_of(sample(50)))
    assert set(one) == {"sample['x'][0]", "sample['x'][1]"}
    assert mismatch([one] * 4, [other] * 4).startswith("sample['x'][0] has mean")
    assert mismatch([one] * 4, [one] * 4) is None
    assert list(values_of(torch.empty(3, 3, 3, device="meta"))) == []
