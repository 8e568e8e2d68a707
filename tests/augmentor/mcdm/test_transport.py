"""Motion transport: codes and predictions have their shapes and units, and a pipeline keeps what belongs together."""

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.codec import decode, encode
from echo_augment.augmentor.mcdm.motion import transport_codes
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.residual import edm_scheduler
from echo_augment.augmentor.mcdm.transport import CENTRE, RADIUS, MotionTransport, places, small, soft_disk
from echo_augment.cache import EchoAugmentError


def seed(value):
    return torch.Generator().manual_seed(value)


@pytest.fixture(scope="module")
def transport():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        made = MotionTransport(6, 16, scale=0.5)
        torch.nn.init.normal_(made.predictor.last[1].conv2.weight, std=0.1)
    return made.eval()


@pytest.fixture(scope="module")
def carried(untrained, transport, residual_denoiser):
    parts = {name: getattr(untrained, name) for name in ("vae", "mafe", "reid")}
    pipeline = MCDMPipeline(
        denoiser=residual_denoiser, transport=transport, code="transport", scheduler=edm_scheduler(), **parts
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_a_frames_latent_depends_on_its_own_code_alone(transport):
    reference, codes = torch.randn(2, 4, 14, 14), torch.randn(2, 5, 6)
    other = codes.clone()
    other[1, 3] += 1
    with torch.no_grad():
        one, two = transport.predict(reference, codes), transport.predict(reference, other)
    assert one.shape == (2, 5, 4, 14, 14)
    changed = (one - two).abs().amax((2, 3, 4)) > 1e-6
    assert changed.nonzero().tolist() == [[1, 3]]


def test_predictions_are_in_latent_units(transport):
    reference, codes = torch.randn(1, 4, 14, 14), torch.randn(1, 2, 6)
    with torch.no_grad():
        half = transport.predict(reference, codes)
        transport.register_to_config(scale=1.0)
        whole = transport.predict(reference, codes)
        transport.register_to_config(scale=0.5)
    torch.testing.assert_close(whole, 2 * half)


def test_noise_hides_details_of_a_code_in_training_only(transport):
    inputs = torch.randn(3, 2, 28, 28), torch.rand(3, 2, 28, 28), torch.ones(3, 1, 28, 28), torch.randn(3, 4, 14, 14)
    with torch.no_grad(), torch.random.fork_rng([]):
        transport.train()
        first, second = transport(*inputs), transport(*inputs)
        transport.eval()
        third, fourth = transport(*inputs), transport(*inputs)
    torch.testing.assert_close(first[0], second[0])
    assert not torch.equal(first[1], second[1]) and torch.equal(third[1], fourth[1])


def test_codes_of_a_heart_are_read_at_its_ed_frame(untrained, transport, hearts):
    codes = transport_codes(untrained.mafe, transport, hearts[0])
    assert codes.shape == (len(hearts[0].grid), 6) and codes.dtype == np.float32 and np.isfinite(codes).all()


def test_nothing_outside_the_disk_is_read(transport):
    flow, frames = torch.randn(2, 2, 28, 28), torch.rand(2, 2, 28, 28)
    disk = soft_disk(28, *CENTRE, RADIUS)
    outside = (disk < 1e-4).float()
    with torch.no_grad():
        codes = transport.encode(flow, frames)
        same = transport.encode(flow + 5 * outside, (frames + outside).clamp(0, 1))
        other = transport.encode(flow, frames, torch.ones(2, 1, 28, 28))
    torch.testing.assert_close(codes, same, atol=2e-4, rtol=1e-3)
    assert (codes - other).abs().max() > 1e-3 and outside.mean() > 0.1


def test_a_disk_is_where_it_is_asked_to_be():
    one = soft_disk(40, 0.25, 0.5, 0.2)
    assert one[20, 10] > 0.99 and one[20, 30] < 0.01 and one[20, 15] > 0.9 and one[20, 19] < 0.1
    tall = soft_disk(40, 0.5, 0.5, 0.2, 2.0)
    assert tall[20 + 12, 20] > 0.9 and tall[20, 20 + 6] < 0.1
    shares = torch.tensor([0.25, 0.5])[:, None, None]
    several = soft_disk(40, shares, shares, shares / 2)
    torch.testing.assert_close(several[0], soft_disk(40, 0.25, 0.25, 0.125))
    assert several.shape == (2, 40, 40)


def test_small_frames_are_means():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (1, 16, 24), dtype=np.uint8)
    assert small(torch.from_numpy(frame))[0, 0, 1, 2].item() == pytest.approx(frame[0, 4:8, 8:12].mean() / 255)


def test_places_name_x_before_y():
    x, y = places(torch.zeros(3, 4, 5, 7))[2]
    assert x[0].tolist() == pytest.approx(torch.linspace(-1, 1, 7).tolist()) and (x[0] == x[4]).all()
    assert y[:, 0].tolist() == pytest.approx(torch.linspace(-1, 1, 5).tolist())


def test_the_pipeline_keeps_its_transport(carried, tmp_path, hearts):
    carried.save_pretrained(tmp_path)
    loaded = MCDMPipeline.load(str(tmp_path))
    loaded.set_progress_bar_config(disable=True)
    codes = carried.encode_motion(hearts[0])
    torch.testing.assert_close(loaded.encode_motion(hearts[0]), codes)
    look = torch.from_numpy(hearts[1].reference.copy())[None]
    for length in (16, 24):
        clips = [
            pipeline(look, codes[None, :length], num_inference_steps=2, detail=False, generator=seed(3))[0].int()
            for pipeline in (carried, loaded)
        ]
        assert clips[0].shape == (1, length, 112, 112)
        assert (clips[0] - clips[1]).abs().max() <= 1, "loaded weights lie elsewhere, where sums may round otherwise"
    kept, found = carried.transport.state_dict(), loaded.transport.state_dict()
    assert all(torch.equal(kept[key], found[key]) for key in kept) and loaded.transport.config["scale"] == 0.5


def test_without_steps_a_clip_is_where_the_transport_moves_the_look(carried, transport, hearts):
    look, codes = torch.from_numpy(hearts[1].reference.copy())[None], carried.encode_motion(hearts[0])[None, :20]
    run = {"num_inference_steps": 0, "detail": False}
    clip, other = (carried(look, codes, generator=seed(k), **run)[0] for k in (1, 2))
    with torch.no_grad():
        reference = encode(carried.vae, look)
        expected = decode(carried.vae, (reference[:, None] + transport.predict(reference, codes))[0])
    assert clip.shape == (1, 20, 112, 112) and torch.equal(clip, other), "there is no noise in it"
    assert (clip[0].int() - expected.int()).abs().max() <= 1
    assert not torch.equal(clip, carried(look, codes, num_inference_steps=1, detail=False, generator=seed(1))[0])
    with pytest.raises(EchoAugmentError, match="num_inference_steps must be at least 0, got -1"):
        carried(look, codes, num_inference_steps=-1)
    with pytest.raises(EchoAugmentError, match="guidance_scale=2 guides denoising, and there is no denoising step"):
        carried(look, codes, num_inference_steps=0, guidance_scale=2)


def test_parts_that_do_not_belong_together_are_refused(carried, untrained, transport):
    parts = {name: getattr(untrained, name) for name in ("vae", "mafe", "reid", "scheduler")}
    for denoiser, code, given in (
        (carried.denoiser, "transport", None),
        (untrained.denoiser, "mafe", transport),
        (carried.denoiser, "mafe", transport),
        (untrained.denoiser, "transport", transport),
    ):
        with pytest.raises(EchoAugmentError, match="do not belong together"):
            MCDMPipeline(denoiser=denoiser, transport=given, code=code, **parts)


def test_whose_flow_is_read_decides_the_codes(untrained, transport, hearts):
    codes = {}
    for flow in ("teacher", "mafe"):
        transport.register_to_config(flow=flow)
        codes[flow] = transport_codes(untrained.mafe, transport, hearts[0])
    assert np.abs(codes["teacher"] - codes["mafe"]).max() > 1e-3
    with pytest.raises(EchoAugmentError, match=r"transport\.flow must be one of mafe, teacher, got 'both'"):
        MotionTransport(flow="both")
