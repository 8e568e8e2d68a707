"""CUDA in a DataLoader worker ends in our own error; a machine with a GPU is not needed to see that."""

import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import DataLoader

from echo_augment.augmentor import InMemoryClips, LiveClips, SyntheticAugment, devices
from echo_augment.augmentor.mcdm import MCDMPipeline
from echo_augment.cache.errors import EchoAugmentError

ROOT = Path(__file__).parents[2]
FORKED = "Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, use 'spawn'"


class Generates(InMemoryClips):
    """A source that generates in ``take``, as it must not."""

    def take(self, index, key):
        MCDMPipeline.__call__(SimpleNamespace(_execution_device=torch.device("cuda:0")), None, None)


class Encodes(InMemoryClips):
    def take(self, index, key):
        MCDMPipeline.encode_motion(SimpleNamespace(device=torch.device("cuda:0")), None)


class Fails(InMemoryClips):
    def take(self, index, key):
        raise RuntimeError(FORKED)


class OtherError(InMemoryClips):
    def take(self, index, key):
        raise RuntimeError("something else")


class Elsewhere(FakeEcho):
    def __getitem__(self, index):
        video, target = super().__getitem__(index)
        return torch.empty_like(torch.from_numpy(video), device="meta"), target

    __getitem__.echo_samples = True


def serve(train):
    try:
        list(DataLoader(train, num_workers=1, multiprocessing_context="fork", collate_fn=len))
    except Exception as error:
        traceback.clear_frames(error.__traceback__)  # a loader that the garbage collector ends waits 5 s for its worker
        raise


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Generates, "MCDMPipeline touches cuda:0 in a DataLoader worker.*LiveClips"),
        (Encodes, "MCDMPipeline touches cuda:0 in a DataLoader worker.*LiveClips"),
        (Fails, "CUDA was touched in a DataLoader worker .Cannot re-initialize CUDA.*LiveClips"),
    ],
)
def test_cuda_in_a_worker_is_our_error_with_the_remedy(source, words):
    with pytest.raises(EchoAugmentError, match=words):
        serve(SyntheticAugment(FakeEcho(), source([make_clip(0)]), p=1.0))


def test_a_sample_on_another_device_is_refused_in_a_worker_only():
    train = SyntheticAugment(Elsewhere(), InMemoryClips([make_clip(0)]), p=0.0)
    with pytest.raises(EchoAugmentError, match="a sample touches meta in a DataLoader worker"):
        serve(train)
    assert train[0][0].device.type == "meta"


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="something else"):
        serve(SyntheticAugment(FakeEcho(), OtherError([make_clip(0)]), p=1.0))
    with pytest.raises(RuntimeError, match="Cannot re-initialize"):
        SyntheticAugment(FakeEcho(), Fails([make_clip(0)]), p=1.0)[0]


class Makes(FakeEcho):
    def __getitem__(self, index):
        return LiveClips("bundled", {})


def test_a_live_source_is_not_made_in_a_worker():
    with pytest.raises(EchoAugmentError, match="made inside a DataLoader worker"):
        serve(Makes())


@pytest.mark.parametrize(("rank", "device"), [("0", "cuda:0"), ("3", "cuda:1")])
def test_auto_takes_the_own_gpu_of_a_rank(monkeypatch, rank, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", rank)
    assert devices.best_device("auto") == device and devices.best_device("cpu") == "cpu"


def test_fork_is_refused_once_cuda_is_in_use(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(EchoAugmentError, match="uses CUDA already"):
        LiveClips("bundled", {}, start_method="fork")


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_gpu_that_only_emulates_bfloat16_computes_in_float32(monkeypatch, native, dtype):
    """A T4 or V100 says that it supports bfloat16, which is emulated and slower than float32."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    assert devices.fast_dtype("cuda:0") == dtype


def test_numbers_leave_a_device_before_they_are_widened():
    """An Apple GPU has no float64: ``.double()`` there raises."""
    floors = [
        path for floor in ("augmentor", "training_recipes", "evaluation") for path in (ROOT / floor).rglob("*.py")
    ]
    assert len(floors) > 100
    assert [path.name for path in floors if ".double().cpu()" in path.read_text(encoding="utf-8")] == []
