"""The networks of every preset build, and follow from their seed; `paper` has the reference's sizes."""

import pytest
import torch
from fakes.generator import preset

from echo_augment.augmentor.mcdm.residual import ResidualDenoiser
from echo_augment.training_recipes.generator.networks import build_networks


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(settings):
    """Networks whose weights are nowhere: large ones cost nothing."""
    with torch.device("meta"):
        networks = build_networks(settings)
    networks.denoiser.to("meta")  # diffusers puts a constant on the CPU
    return networks


def test_paper_has_the_references_sizes():
    settings = preset("preset=paper")
    networks = on_meta(settings)
    assert count(networks.denoiser.unet) == 189_428_394
    assert (settings.frames, settings.rate) == (64, 16)
    assert round(count(networks.codec) / 1e6, 1) == 62.4
    assert count(networks.mafe) == 65_662_359
    pair = torch.empty(2, 1, 1, 112, 112, device="meta")
    assert networks.mafe.vector_size == 1536
    assert networks.mafe.motion_vector(pair[0], pair[1]).shape == (1, 1536)
    vector = networks.mafe.motion_vector(pair[0], pair[1], turned=True)
    assert vector.shape == (1, 3072)
    config = networks.denoiser.config
    assert config["code_size"] == config["cross_attention_dim"] == 3072 and config["motion"] == "vector"
    assert isinstance(networks.denoiser.token, torch.nn.Identity) and networks.denoiser.frame_embedding is None


def test_base_takes_a_smaller_mafe_of_the_same_form_and_a_code_per_frame():
    settings = preset("preset=base")
    networks = on_meta(settings)
    assert networks.mafe.vector_size == 768 and list(networks.transport.config["features"]) == [256, 512]
    assert 10e6 < count(networks.mafe) < 20e6
    assert networks.denoiser.config["code_size"] == networks.transport.config["code_size"] == 16
    assert 10e6 < count(networks.denoiser) < 40e6


@pytest.mark.parametrize("name", ["base", "paper"])
def test_the_latents_of_a_clip_pass_through(name):
    settings = preset(f"preset={name}")
    networks = on_meta(settings)
    with torch.device("meta"):
        images = torch.empty(2, settings.codec.images or 1, settings.size, settings.size)
        latents = networks.codec.encode(images).latent_dist.mode()
        clip = torch.empty(1, settings.frames, *latents.shape[1:])
        length = 1 if settings.code == "vector" else settings.frames
        codes = torch.empty(1, length, networks.denoiser.config["code_size"])
        given = () if networks.transport is None else (networks.transport.predict(latents[:1], codes),)
        v = networks.denoiser(clip, torch.empty(1, dtype=torch.long), latents[:1], codes, *given)
    assert latents.shape == (2, 4, 14, 14) and v.shape == clip.shape


def test_a_small_denoiser_of_the_papers_form_computes():
    small = [
        "preset.denoiser.channels=[32,32]",
        "preset.denoiser.attention=[true,false]",
        "preset.denoiser.heads=[2,2]",
    ]
    settings = preset("preset=paper", *small, "preset.denoiser.layers=1", "preset.mafe.width=8")
    settings.denoiser.cross_attention_dim = 16
    with torch.device("meta"):
        denoiser = build_networks(settings).denoiser
    denoiser = denoiser.to_empty(device="cpu").eval()
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.fill_(0.01)
        codes = torch.ones(1, 1, denoiser.config["code_size"])
        v = denoiser(torch.zeros(1, 3, 4, 14, 14), torch.tensor([5]), torch.zeros(1, 4, 14, 14), codes)
    assert denoiser.config["code_size"] == 3072 // 4 and v.shape == (1, 3, 4, 14, 14) and v.isfinite().all()


def seeded(seed, *overrides):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return build_networks(preset(*overrides))


def weights(network):
    return torch.cat([value.flatten() for value in network.state_dict().values()])


def test_fresh_weights_follow_from_the_seed_and_from_no_later_stage():
    one, same, other = seeded(0), seeded(0), seeded(1)
    later = seeded(0, "preset.denoiser.residual.channels=[32,32]")
    for name in ("codec", "reid", "mafe", "transport"):
        own = weights(getattr(one, name))
        assert torch.equal(own, weights(getattr(same, name))) and torch.equal(own, weights(getattr(later, name)))
        assert not torch.equal(own, weights(getattr(other, name)))
    assert torch.equal(weights(one.denoiser), weights(same.denoiser))
    assert weights(one.denoiser).numel() != weights(later.denoiser).numel()


@pytest.mark.parametrize(("code", "size"), [("transport", 12), ("mafe", 50), ("flow", 50), ("vector", 384)])
def test_the_code_s_size_follows_from_where_codes_come_from(code, size):
    networks = on_meta(preset(f"preset.code={code}"))
    assert networks.denoiser.config["code_size"] == size
    assert (networks.transport is not None) == (code == "transport")
    assert isinstance(networks.denoiser, ResidualDenoiser) == (code == "transport")
