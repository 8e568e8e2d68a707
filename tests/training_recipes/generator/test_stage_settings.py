"""Settings of codec and denoiser as the reference has them, and what they do."""

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module
from torch.optim import AdamW

from echo_augment.augmentor.mcdm.codec import ReferenceCodec, build_codec, encode, saved_codec
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.settings import settings_from
from echo_augment.training_recipes.generator.codec import Latents, codec_loss
from echo_augment.training_recipes.generator.context import schedule_of
from echo_augment.training_recipes.generator.denoiser import draw_noise, scheduler_of
from echo_augment.training_recipes.generator.settings import GeneratorSettings
from echo_augment.training_recipes.training.adversary import Contested


def preset(*overrides, name="paper"):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-generator", [f"preset={name}", "out=o", *overrides])
    return settings_from(cfg, GeneratorSettings).preset


def test_the_papers_codec_is_the_references():
    found = preset().codec
    codec = build_codec(
        tuple(found.channels),
        found.layers,
        found.groups,
        images=found.images,
        attention=found.attention,
        half=found.half_range,
    )
    assert round(codec.num_parameters() / 1e6, 1) == 62.4 and isinstance(codec, ReferenceCodec)
    assert codec.config["in_channels"] == 3 and codec.decoder.mid_block.attentions[0] is not None


def test_a_codec_is_saved_as_the_kind_that_it_is(tmp_path):
    with torch.random.fork_rng([]):
        for kind, half in (("theirs", 128.0), ("ours", 127.5)):
            build_codec((8, 8, 8, 8), half=half).save_pretrained(tmp_path / kind)
    assert isinstance(saved_codec(tmp_path / "theirs"), ReferenceCodec)
    assert not isinstance(saved_codec(tmp_path / "ours"), ReferenceCodec)
    white = torch.full((1, 112, 112), 255, dtype=torch.uint8)
    seen = []
    codec = saved_codec(tmp_path / "theirs")
    codec.encoder.conv_in.register_forward_pre_hook(lambda _module, args: seen.append(float(args[0].max())))
    encode(codec, white)
    assert seen == [pytest.approx(255 / 128 - 1)]


def test_the_papers_sampler_is_the_published_one():
    scheduler = scheduler_of(preset())
    assert (scheduler.config["clip_sample_range"], scheduler.config["timestep_spacing"]) == (4, "leading")
    ours = scheduler_of(preset(name="tiny"))
    assert (ours.config["clip_sample_range"], ours.config["timestep_spacing"]) == (6, "trailing")


def test_the_offset_is_shared_by_all_frames_of_a_clip():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        clip = draw_noise(torch.zeros(64, 8, 4, 14, 14), 10.0, "clip").mean((3, 4))
        frame = draw_noise(torch.zeros(64, 8, 4, 14, 14), 10.0).mean((3, 4))
    assert float(clip.std(1).mean()) < 0.1 and float(frame.std(1).mean()) > 5
    assert float(clip.std(0).mean()) > 5 and float(clip.std(2).mean()) > 5, "another one for every clip and channel"


def test_the_rate_stays_after_500_steps():
    optimizer = AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-4)
    schedule = schedule_of(optimizer, preset().denoiser)
    rates = []
    for _ in range(1200):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(1e-4 / 500) and rates[249] == pytest.approx(5e-5)
    assert rates[500] == rates[-1] == 1e-4


class Video:
    ed, grid = 4, np.arange(0, 12, 2)


class Data:
    videos, starts, training = [Video()], [0], [Video()]


@pytest.fixture
def latents_file(tmp_path):
    np.save(
        tmp_path / "l.npy", np.arange(12, dtype=np.float16)[:, None, None, None] * np.ones((1, 4, 14, 14), np.float16)
    )
    return tmp_path / "l.npy"


def test_latents_are_absolute_and_the_reference_any_frame(latents_file):
    latents = Latents(Data(), latents_file, absolute=True)
    assert latents.scale == 1.0
    reference, found = latents.window(0, 1, 3, shown=5)
    assert reference[0, 0, 0] == 10 and list(found[:, 0, 0, 0]) == [2, 4, 6]
    ours, relative = Latents(Data(), latents_file, scale=2.0).window(0, 1, 3)
    assert ours[0, 0, 0] == 4 and list(relative[:, 0, 0, 0]) == [-2, 0, 2]


def test_the_adversary_of_a_codec_begins_at_its_step():
    settings = preset("preset.codec.gan_start=2").codec
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = Contested(build_codec((8, 8, 8, 8), images=3), 3).train()
        frames = torch.randint(0, 256, (2, 112, 112), dtype=torch.uint8)
        loss = codec_loss(settings)
        found = [loss(network, frames) for _ in range(4)]
    assert [bool(one["adversary"]) for one in found] == [False, False, True, True]
    assert network.seen == 4 and "pyramid" not in found[0]
    found[-1]["loss"].backward()
    assert network.codec.decoder.conv_out.weight.grad is not None
    network.eval()
    assert "loss" in loss(network, frames) and network.seen == 4


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("preset.codec.images=2", "preset.codec.images must be 1 or 3"),
        ("preset.codec.half_range=100", "must be 127.5 or 128"),
        ("preset.codec.gan=-1", "preset.codec.gan"),
        ("preset.denoiser.spacing=linspace", "preset.denoiser.spacing must be one of"),
        ("preset.denoiser.reference=es", "preset.denoiser.reference must be one of"),
        ("preset.denoiser.schedule=step", "preset.denoiser.schedule must be one of"),
        ("preset.code=transport", "as the reference has it, and preset.code=transport"),
    ],
)
def test_what_cannot_be_is_refused(bad, message):
    with pytest.raises(EchoAugmentError, match=message):
        preset(bad)
