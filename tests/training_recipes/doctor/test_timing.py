"""Seconds of a step, reckoned from a small batch where a large one would take long."""

import time

import pytest
import torch
from fakes.generator import preset
from torch import nn

from echo_augment.training_recipes.doctor import timing
from echo_augment.training_recipes.doctor.steps import Step
from echo_augment.training_recipes.doctor.timing import between_seconds, host_seconds, step_seconds, timed
from echo_augment.training_recipes.generator.networks import build_networks

CPU = torch.device("cpu")


class Slow(nn.Module):
    """Takes a hundredth of a second an item."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen = nn.Parameter(torch.ones(1)), []

    def forward(self, batch):
        self.seen.append(len(batch))
        time.sleep(0.01 * len(batch))
        return (self.weight * batch).sum()


def step_of(network, stage="denoiser", items=8):
    settings = preset("preset=tiny").denoiser
    return Step(
        stage=stage,
        network=network,
        loss=lambda net, batch: {"loss": net(batch)},
        batch=torch.ones,
        items=items,
        size="batch",
        settings=settings,
    )


def test_a_short_step_is_timed_whole():
    network = Slow()
    assert 0.08 <= step_seconds(step_of(network), 8, CPU, "no") < 1
    assert set(network.seen) == {2, 8} and network.weight.grad is None and float(network.weight) != 1


def test_a_long_one_is_reckoned_from_a_small_batch(monkeypatch):
    monkeypatch.setattr(timing, "PATIENCE", 0.01)
    network = Slow()
    assert 0.08 <= step_seconds(step_of(network), 8, CPU, "bf16") < 1
    assert network.seen == [2], "once: a long repetition is not repeated"


def test_the_least_of_some_repetitions_after_the_first():
    waits = iter([0.05, 0.02, 0.001, 0.02])
    assert timed(lambda: time.sleep(next(waits)), CPU) < 0.019


def test_only_mafe_is_drawn_by_estimating_flow():
    chosen = preset("preset=tiny")
    assert host_seconds(step_of(Slow(), "codec"), chosen) == 0
    assert 0 < host_seconds(step_of(Slow(), "mafe"), chosen) < 5
    assert host_seconds(step_of(Slow(), "mafe"), preset("preset=tiny", "preset.mafe.losses.flow_target=pair")) == 0


@pytest.mark.parametrize(
    ("more", "stages"),
    [
        (("preset.student.kind=reflow",), ["latents", "pseudo", "copies", "couplings"]),
        (("preset.code=mafe",), ["latents", "pseudo", "motions"]),
    ],
)
def test_the_stages_between_are_timed_by_the_video(more, stages):
    small = ("preset.codec.channels=[8,8,8,8]", "preset.rate=2", "preset.couplings.steps=3")
    chosen = preset("preset=tiny", *small, *more)
    with torch.random.fork_rng([]):
        found = between_seconds(chosen, build_networks(chosen), "no")
    assert list(found) == stages and all(seconds > 0 for seconds in found.values())
