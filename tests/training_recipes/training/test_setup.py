import os
from datetime import timedelta

import pytest
import torch

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.evaluation.benchmark.job import notes_of
from echo_augment.training_recipes.training import setup
from echo_augment.training_recipes.training.setup import Arithmetic, arithmetic, make_accelerator

CPU = torch.device("cpu")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_arithmetic_is_what_is_used(precision, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert arithmetic(precision, CPU) == Arithmetic(precision, "cpu", "AVX2")


@pytest.mark.parametrize(("native", "used"), [(True, "bf16"), (False, "fp32")])
def test_auto_says_what_it_came_to(native, used, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    assert arithmetic("auto", CPU).precision == used
    assert arithmetic("auto", torch.device("mps")) == Arithmetic("fp32", "mps", "mps")


def test_a_benchmark_says_if_its_trainings_were_computed_differently():
    one, other = str(Arithmetic("bf16", "cpu", "AVX512")), str(Arithmetic("fp32", "cpu", "AVX2"))
    assert notes_of({one: 4}) == []
    [note] = notes_of({one: 4, other: 2})
    assert "4 in bf16 on cpu (AVX512), 2 in fp32 on cpu (AVX2)" in note
    assert "1 in unknown" in notes_of({one: 4, "unknown": 1})[0]


class Given:
    """Stands for an accelerator: keeps what it was asked for, and how the process looked like then."""

    def __init__(self, **settings):
        self.settings, self.environment = settings, dict(os.environ)
        self.device = torch.device("cpu" if settings["cpu"] else "cuda")


@pytest.fixture
def two_gpus(monkeypatch):
    """Two GPUs, as far as the choice of one goes; yields the numbers that were chosen."""
    chosen = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: chosen.append(torch.device(device).index))
    monkeypatch.setattr(setup, "Accelerator", Given)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    return chosen


def test_a_training_computes_on_the_device_that_is_asked_for(two_gpus):
    assert make_accelerator("cuda:1").settings["cpu"] is False and two_gpus == [1]
    assert make_accelerator("cpu").settings["cpu"] is True and two_gpus == [1]
    assert make_accelerator("auto").settings["cpu"] is False and two_gpus == [1, 0]


def test_another_device_than_the_processs_is_refused(monkeypatch, two_gpus):
    monkeypatch.setattr(
        Given, "device", property(lambda self: torch.device("cpu"), lambda self, value: None), raising=False
    )
    with pytest.raises(EchoAugmentError, match="device=cuda:1, but this process computes on cpu already"):
        make_accelerator("cuda:1")


def test_processes_that_train_together_take_a_gpu_each_and_wait_long(monkeypatch, two_gpus):
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    accelerator = make_accelerator("auto", together=True)
    assert two_gpus == [1] and accelerator.environment["WORLD_SIZE"] == "2"
    [patience] = accelerator.settings["kwargs_handlers"]
    assert patience.timeout > timedelta(days=1), "NCCL's own are ten minutes"
    with pytest.raises(EchoAugmentError, match="device=cuda:1 is one device, and several processes train together"):
        make_accelerator("cuda:1", together=True)


def test_processes_that_share_trainings_train_each_for_itself(monkeypatch, two_gpus):
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    accelerator = make_accelerator("auto")
    assert "WORLD_SIZE" not in accelerator.environment and os.environ["WORLD_SIZE"] == "2" and two_gpus == [1]
