"""The codec's stage: batches are training frames, latents lie where their frames do, the scale gives them unit size."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes.generator import preset
from fakes.hearts import LENGTH, write_hearts
from fakes.lpips import write_lpips

from echo_augment.augmentor.mcdm.codec import build_codec, encode
from echo_augment.training_recipes.common.lpips import load_lpips
from echo_augment.training_recipes.generator.codec import (
    Latents,
    codec_loss,
    fit_scale,
    frame_batch,
    pyramid_levels,
    pyramid_loss,
    watched_frames,
    write_latents,
)


@pytest.fixture
def data(tmp_path):
    return write_hearts(tmp_path)


@pytest.fixture
def codec():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return build_codec((8, 8, 8, 8), 1).eval()


def heart_of(frames: torch.Tensor) -> torch.Tensor:
    return frames[..., 0, 0].long() // 20 - 1


def test_a_batch_is_frames_in_order_of_different_training_videos(data):
    batch = frame_batch(data, np.random.default_rng(0), 3, 4)
    assert batch.shape == (3, 4, 112, 112) and batch.dtype == torch.uint8
    hearts = heart_of(batch)
    assert (hearts == hearts[:, :1]).all() and len(set(hearts[:, 0].tolist())) == 3
    assert torch.equal(batch, frame_batch(data, np.random.default_rng(0), 3, 4))
    assert not torch.equal(batch, frame_batch(data, np.random.default_rng(1), 3, 4))
    many = frame_batch(data, np.random.default_rng(2), 100, 200)
    assert set(heart_of(many).flatten().tolist()) == {0, 1, 2, 3}, "all that train, none that is watched"
    for row in many[..., 0, 0].long() % 20:
        times = row[row > 0]
        assert (times[1:] >= times[:-1]).all() and times.max() == 6


def test_latents_lie_where_their_frames_lie_and_are_relative_to_the_ed_frame(data, codec, tmp_path):
    write_latents(data, codec, tmp_path / "latents.npy")
    array = np.load(tmp_path / "latents.npy")
    assert array.shape == (data.total, 4, 14, 14) and array.dtype == np.float16
    heart, start = data.videos[2], data.starts[2]
    whole = encode(codec, torch.from_numpy(heart.frames[heart.grid])).numpy()
    np.testing.assert_allclose(array[start + heart.grid], whole, atol=2e-3)
    assert not array[start + 1 : start + LENGTH : 2].any(), "frames off the grid have none"
    latents = Latents(data, tmp_path / "latents.npy")
    reference, relative = latents.video(2)
    np.testing.assert_allclose(reference, whole[0], atol=2e-3)
    np.testing.assert_allclose(relative, whole - whole[:1], atol=4e-3)
    assert not relative[0].any()
    one, moved = latents.frame(2, 3)
    assert np.array_equal(one, reference) and np.array_equal(moved, relative[3])


def test_the_scale_is_the_training_videos_own_or_the_one_given(data, tmp_path):
    array = np.zeros((data.total, 4, 14, 14), np.float16)
    for index, start in enumerate(data.starts):
        array[start : start + LENGTH] = 5  # cancels out
        array[start + 2 : start + LENGTH : 2] += 2.0 if index < 4 else 100.0
    np.save(tmp_path / "latents.npy", array)
    assert Latents(data, tmp_path / "latents.npy").scale == pytest.approx(np.sqrt(3 / 4 * 4)), "watched ones aside"
    assert Latents(data, tmp_path / "latents.npy", 0.7).scale == 0.7


def test_latents_are_read_where_they_lie(data, codec, tmp_path):
    write_latents(data, codec, tmp_path / "latents.npy")
    assert isinstance(Latents(data, tmp_path / "latents.npy").array, np.memmap)


def test_a_killed_encoding_leaves_no_array(data, codec, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("echo_augment.training_recipes.generator.codec.encode", killed)
    with pytest.raises(KeyboardInterrupt):
        write_latents(data, codec, tmp_path / "latents.npy")
    assert not list(tmp_path.glob("*latents*.npy")) and not list(tmp_path.glob("latents.parts/*"))


def test_the_loss_weighs_the_divergence_and_trains_both_halves(codec):
    frames = torch.randint(0, 256, (2, 112, 112), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = []
    for weight in (0.0, 10.0):
        with torch.random.fork_rng([]):
            torch.manual_seed(1)
            found.append(codec_loss(replace(preset("preset=tiny").codec, kl=weight))(codec, frames))
    plain, heavy = found
    assert plain["kl"].item() > 0 and plain["kl"] == heavy["kl"]
    assert plain["loss"].item() == pytest.approx((plain["l1"] + plain["pyramid"]).item())
    assert (heavy["loss"] - plain["loss"]).item() == pytest.approx(10 * plain["kl"].item(), rel=1e-4)
    heavy["loss"].backward()
    assert all(part.grad is not None for half in (codec.encoder, codec.decoder) for part in half.parameters())


def test_lpips_is_in_the_loss_with_its_weight_and_in_the_gradient(codec, tmp_path):
    frames = torch.randint(0, 256, (2, 112, 112), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    asked = preset("preset=tiny", "preset.codec.lpips=3", f"preset.codec.lpips_weights={write_lpips(tmp_path)}").codec
    found, gradients = [], []
    for perceptual in (None, load_lpips(tmp_path)):
        with torch.random.fork_rng([]):
            torch.manual_seed(1)
            found.append(codec_loss(asked, perceptual=perceptual)(codec, frames))
        codec.zero_grad()
        found[-1]["loss"].backward()
        gradients.append(codec.decoder.conv_out.weight.grad.clone())
    plain, seen = found
    assert "lpips" not in plain and seen["lpips"].item() > 0.01
    assert (seen["loss"] - plain["loss"]).item() == pytest.approx(3 * seen["lpips"].item(), rel=1e-4)
    assert not torch.allclose(*gradients)


def test_watched_frames_are_the_ends_of_watched_beats(data):
    frames = watched_frames(data)
    assert frames[:, 0, 0].tolist() == [100, 104, 120, 124]
    assert len(watched_frames(data, 3)) == 3


def test_the_scale_of_a_codec_gives_watched_latents_unit_size(data, codec):
    codec.register_to_config(scaling_factor=7.0)
    figures = fit_scale(codec, data)
    assert float(encode(codec, watched_frames(data)).std()) == pytest.approx(1, abs=1e-4)
    assert list(figures) == ["psnr"] and 0 < figures["psnr"] < 60


def test_the_pyramid_ends_in_the_low_pass_rest_and_its_loss_is_zero_for_equals():
    image = torch.rand(2, 1, 112, 112)
    assert [level.shape[-1] for level in pyramid_levels(image)] == [112, 56, 28, 14]
    assert pyramid_loss(image, image) == 0
    assert pyramid_loss(image, image.flip(-1)) > pyramid_loss(image, image * 0.99 + 0.005)
    assert float(pyramid_loss(image, image + 0.1)) > 0.5, "mean brightness counts, as it does not for MAFE's"
