"""Steps on made-up batches are those of the stages: they train."""

import pytest
import torch
from fakes.generator import preset

from echo_augment.training_recipes.doctor.steps import diffusion_for, training_steps
from echo_augment.training_recipes.generator.diffusion import LatentDiffusion, ResidualDiffusion
from echo_augment.training_recipes.generator.networks import build_networks

SMALL = ("preset.codec.channels=[8,8,8,8]", "preset.denoiser.residual.channels=[8,16]", "preset.transport.width=16")


@pytest.mark.parametrize(
    "more", [(), ("preset.student.kind=reflow", "preset.codec.gan=0.5", "preset.codec.gan_start=9")]
)
def test_every_step_has_a_gradient(more):
    chosen = preset("preset=tiny", *SMALL, *more)
    before = torch.get_rng_state()
    with torch.random.fork_rng([]):
        nets = build_networks(chosen)
        steps = training_steps(chosen, nets, lambda module: module)
        assert list(steps) == ["codec", "reid", "mafe", "transport", "denoiser", "student"]
        for stage, step in steps.items():
            losses = step.loss(step.network.train(), step.batch(2))
            losses["loss"].backward()
            assert torch.isfinite(losses["loss"]) and any(one.grad is not None for one in step.network.parameters())
            assert step.items == getattr(getattr(chosen, stage), step.size)
            if stage == "codec" and more:
                assert float(losses["adversary"]) > 0, "it counts at once"
    assert torch.equal(before, torch.get_rng_state())


def test_a_preset_without_transport_has_no_such_step():
    chosen = preset(
        "preset=tiny",
        *SMALL,
        "preset.code=mafe",
        "preset.denoiser.channels=[32,32]",
        "preset.denoiser.attention=[false,false]",
        "preset.denoiser.heads=[1,1]",
    )
    with torch.random.fork_rng([]):
        nets = build_networks(chosen)
        steps = training_steps(chosen, nets, lambda module: module)
        assert list(steps) == ["codec", "reid", "mafe", "denoiser", "student"] and steps["denoiser"].held == ()
        assert isinstance(diffusion_for(chosen, nets), LatentDiffusion)
        assert torch.isfinite(steps["denoiser"].loss(nets.denoiser, steps["denoiser"].batch(1))["loss"])


def test_a_preset_with_transport_diffuses_what_it_leaves_open():
    chosen = preset("preset=tiny", *SMALL)
    with torch.random.fork_rng([]):
        nets = build_networks(chosen)
        assert isinstance(diffusion_for(chosen, nets), ResidualDiffusion)
        assert training_steps(chosen, nets, lambda module: module)["denoiser"].held == (nets.transport,)
