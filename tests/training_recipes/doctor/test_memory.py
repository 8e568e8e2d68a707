"""Bytes that autograd keeps, counted without numbers."""

import multiprocessing
import os

import pytest
import torch
from fakes.generator import preset
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.doctor import memory
from echo_augment.training_recipes.doctor.memory import GPU, Kept, Needs, count_needs, mixed, without_numbers


def counted(network, given, precision="no", run=lambda network, given: network(given)):
    with FakeTensorMode():
        without_numbers(network)
        kept = Kept(network)
        with mixed(precision), kept.counting():
            run(network, torch.empty(given, device=GPU))
    return kept


def test_what_goes_in_is_kept_and_weights_are_not():
    network = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    kept = counted(network, (3, 8))
    assert kept.bytes == 4 * 3 * (8 + 4), "of the ReLU its output, which the last layer takes, once"
    half = counted(nn.Sequential(nn.Linear(8, 4)), (3, 8), "bf16")
    assert half.bytes == 2 * 3 * 8, "the input in half precision; nothing before it asks for the weights"


def test_a_checkpointed_block_keeps_what_goes_in_and_is_counted_when_it_is_computed_again():
    network = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 8))
    with FakeTensorMode():
        without_numbers(network)
        kept = Kept(network)
        with kept.counting():
            kept.block(network, torch.empty(3, 8, device=GPU, requires_grad=True))
    assert kept.bytes == 4 * 3 * 8 and kept.again == 4 * 3 * (8 + 64)


@pytest.mark.parametrize(("precision", "size"), [("no", 4), ("bf16", 2), ("fp16", 2)])
def test_attention_is_one_kernel_whose_matrix_is_not_kept(precision, size):
    def attend(network, given):
        mapped = network(given)
        return functional.scaled_dot_product_attention(mapped, mapped, mapped)

    kept = counted(nn.Linear(8, 8), (1, 2, 1024, 8), precision, attend)
    matrix = size * 2 * 1024 * 1024
    assert kept.bytes < matrix / 10


def test_the_largest_batch_leaves_room():
    needs = Needs(fixed=1_000, item=100, checkpointed=50)
    assert needs.of(3) == 1_300 and needs.of(3, checkpointing=True) == 1_150
    assert needs.most(2_000) == 7 and needs.most(2_000, checkpointing=True) == 14 and needs.most(1_100) == 0
    assert Needs(fixed=0, item=10).most(100, checkpointing=True) == 8, "a stage without checkpointing"


def test_all_stages_are_counted_in_a_process_of_their_own():
    found = count_needs(preset("preset=tiny"), "bf16")
    assert list(found) == ["codec", "reid", "mafe", "transport", "denoiser", "student"]
    assert all(one.fixed > 0 and one.item > 1000 for one in found.values())
    assert found["codec"].checkpointed is None and found["denoiser"].checkpointed < found["denoiser"].item


def test_a_counting_that_comes_to_grief_is_one_error(monkeypatch):
    fork = multiprocessing.get_context("fork")  # so that the child knows of the fault
    monkeypatch.setattr(memory.multiprocessing, "get_context", lambda _: fork)
    monkeypatch.setattr(memory, "_count", lambda *_: os._exit(7))
    with pytest.raises(
        EchoAugmentError, match="preset tiny: the process that counts its memory ended with exit code 7"
    ):
        count_needs(preset("preset=tiny"), "bf16")
