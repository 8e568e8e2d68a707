"""The denoiser, the noising and the sampling loop against MCDM's, with the same random weights and numbers.

Their network and scheduler are made from ``default_uncondition.yaml`` by their own helper; their loop, which stands in
a script, is written again here from what the script does. The codec is EchoNet-Synthetic's.
"""

import diffusers
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler
from omegaconf import OmegaConf
from torch import Tensor

from echo_augment.augmentor.mcdm import pipeline as pipelines
from echo_augment.augmentor.mcdm.codec import build_codec, load_codec
from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.reid import ReIDEncoder
from echo_augment.training_recipes.generator.diffusion import noise_scheduler

SMALL = {"block_out_channels": [32, 64, 64, 64], "num_attention_heads": [2, 2, 4, 4], "cross_attention_dim": 16}
ATTENTION = (True, True, True, False)


@pytest.fixture(scope="module")
def config(mcdm):
    return OmegaConf.load(mcdm.lvdm / "configs" / "default_uncondition.yaml")


def denoisers(mcdm, config, **changes):
    """Return their UNet and our denoiser with its weights."""
    OmegaConf.resolve(config)
    given = OmegaConf.merge(config.unet, changes)
    with torch.random.fork_rng([]):
        torch.manual_seed(7)
        theirs = mcdm.common.instantiate_from_config(given, ["diffusers"]).eval()
        for weight in theirs.parameters():  # fresh mixing factors and biases are alike
            weight.data += 0.02 * torch.randn_like(weight)
    size = given.cross_attention_dim
    ours = MotionDenoiser(
        tuple(given.block_out_channels),
        ATTENTION,
        tuple(given.num_attention_heads),
        given.layers_per_block,
        motion="vector",
        code_size=size,
        cross_attention_dim=size,
    ).eval()
    ours.unet.load_state_dict(theirs.state_dict())
    return theirs, ours


def predicted(mcdm, unet, latents: Tensor, step: Tensor, reference: Tensor, motion: Tensor) -> Tensor:
    """Return their v for latents ``(B, C, T, H, W)``: as ``train_motion.py`` and ``sample_motion.py`` call the UNet."""
    still = reference[:, :, None].repeat(1, 1, latents.shape[2], 1, 1)
    given, pad = mcdm.common.pad_reshape(torch.cat([latents, still], dim=1), mult=3)
    ids = torch.zeros(len(latents), 1)
    v = unet(given, timestep=step, encoder_hidden_states=motion, added_time_ids=ids).sample
    return mcdm.common.unpad_reshape(v, pad=pad)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("size", "changes", "frames"), [("small", SMALL, 6), ("189.4 M", {}, 2)])
def test_the_denoiser_with_token_reference_and_padding(mcdm, config, agree, size, changes, frames):
    theirs, ours = denoisers(mcdm, config, **changes)
    if not changes:
        assert sum(weight.numel() for weight in ours.unet.parameters()) == 189_428_394
    length = ours.config["cross_attention_dim"]
    latents, reference = numbers(2, 4, frames, 14, 14), numbers(2, 4, 14, 14, seed=1)
    motion, step = numbers(2, 1, length, seed=2), torch.tensor([3, 911])
    with torch.no_grad():
        v = predicted(mcdm, theirs, latents, step, reference, motion)
        found = ours(latents.transpose(1, 2), step, reference, motion)
    agree(f"UNet, {size}", found.transpose(1, 2), v)


def scheduler(config):
    given = OmegaConf.to_container(config.noise_scheduler)
    return getattr(diffusers, given.pop("_class_name"))(**given)


def test_noising_and_velocity(config, agree):
    theirs, ours = scheduler(config), noise_scheduler()
    clean, noise = numbers(8, 4, 6, 14, 14), numbers(8, 4, 6, 14, 14, seed=1)
    steps = torch.linspace(0, 999, 8).long()
    agree("add_noise", ours.add_noise(clean, noise, steps), theirs.add_noise(clean, noise, steps))
    agree("get_velocity", ours.get_velocity(clean, noise, steps), theirs.get_velocity(clean, noise, steps))


def test_128_steps_of_ddpm(mcdm, config, agree, monkeypatch):
    frames, steps = 6, 128
    unet, denoiser = denoisers(mcdm, config, **SMALL)
    theirs = scheduler(config)
    reference, motion = numbers(2, 4, 14, 14, seed=1), numbers(2, 1, 16, seed=2)
    drawn: list[int] = []
    permuted = False

    def draw(shape: tuple[int, ...], **_: object) -> Tensor:
        """Draw the same noise for both, theirs with channels before frames."""
        drawn.append(len(drawn))
        noise = numbers(2, frames, 4, 14, 14, seed=1000 + drawn[-1])
        assert tuple(shape) == tuple(noise.transpose(1, 2).shape if permuted else noise.shape)
        return noise.transpose(1, 2) if permuted else noise

    monkeypatch.setattr(diffusers.schedulers.scheduling_ddpm, "randn_tensor", draw)
    decoded: list[Tensor] = []
    monkeypatch.setattr(pipelines, "encode", lambda _codec, _frames: reference)
    monkeypatch.setattr(
        pipelines,
        "decode",
        lambda _codec, latents: decoded.append(latents) or torch.zeros(len(latents), 112, 112, dtype=torch.uint8),
    )
    pipeline = MCDMPipeline(
        build_codec((8, 8, 16, 16), groups=4),
        denoiser,
        MAFE(4, (1, 1, 1, 1, 1), (1, 2)),
        ReIDEncoder(8, 16),
        DDIMScheduler.from_config(theirs.config),
        frames=frames,
        code="vector",
        detail=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    start = torch.Generator().manual_seed(3)
    pipeline(
        torch.zeros(2, 112, 112, dtype=torch.uint8), motion, num_inference_steps=steps, sampler="ddpm", generator=start
    )
    count = len(drawn)
    # Ours denoises what is to be added to the reference frame's latent; theirs the latents themselves.
    ours = decoded[0].unflatten(0, (2, frames)) - reference[:, None]

    drawn.clear()
    permuted = True
    theirs.set_timesteps(steps)
    latents = numbers(2, frames, 4, 14, 14, seed=3).transpose(1, 2)
    with torch.no_grad():
        for step in theirs.timesteps:
            v = predicted(mcdm, unet, theirs.scale_model_input(latents, timestep=step), step, reference, motion)
            latents = theirs.step(v, step, latents).prev_sample
    assert int(theirs.timesteps[0]) == 889 and count == len(drawn) == steps - 1
    agree("128 steps of DDPM", ours.transpose(1, 2), latents)


def test_the_codec(echosyn, agree, tmp_path):
    """EchoNet-Synthetic's autoencoder in diffusers' layout, at a quarter of its width."""
    widths = (32, 64, 64, 128)
    with torch.random.fork_rng([]):
        torch.manual_seed(9)
        AutoencoderKL(
            block_out_channels=widths,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
        ).save_pretrained(tmp_path)
    theirs, ours = echosyn.common.load_model(str(tmp_path)).eval(), load_codec(str(tmp_path))
    images = numbers(2, 3, 112, 112).clamp(-1, 1)
    with torch.no_grad():
        latents = theirs.encode(images).latent_dist.mode() * theirs.config.scaling_factor
        agree("codec, latents", ours.encode(images).latent_dist.mode() * ours.config["scaling_factor"], latents)
        agree(
            "codec, images",
            ours.decode(latents / ours.config["scaling_factor"]).sample,
            theirs.decode(latents / theirs.config.scaling_factor).sample,
        )
