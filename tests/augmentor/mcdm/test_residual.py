"""The residual denoiser: what reaches a frame, EDM's scalings, and clips that the transport's prediction bounds."""

import numpy as np
import pytest
import torch
from diffusers import EDMEulerScheduler

from echo_augment.augmentor.mcdm.codec import decode, encode
from echo_augment.augmentor.mcdm.motion import transport_codes
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.residual import SIGMA_MAX, ResidualDenoiser, TimeAttention, edm_scheduler, neighbours
from echo_augment.augmentor.mcdm.sampling import RESIDUAL_SAMPLERS
from echo_augment.cache import EchoAugmentError


def seeds(*values):
    return [torch.Generator().manual_seed(value) for value in values]


@pytest.fixture
def denoiser(residual_denoiser):
    return residual_denoiser


@pytest.fixture
def pipeline(displacing):
    return displacing


@pytest.fixture
def given(pipeline, hearts):
    looks = torch.from_numpy(np.stack([heart.reference for heart in hearts]))
    return looks, torch.stack([pipeline.encode_motion(heart)[:20] for heart in hearts])


def test_a_frames_neighbours_stand_beside_it():
    x = torch.arange(8.0)[:, None, None, None]
    assert neighbours(x, 4)[:, :, 0, 0].tolist() == [
        [0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3], [4, 4, 5], [4, 5, 6], [5, 6, 7], [6, 7, 7],
    ]  # fmt: skip


def test_attention_lets_a_frame_see_all_of_its_clip_and_nothing_else():
    mixing = TimeAttention(8, 2)
    torch.nn.init.normal_(mixing.out.weight)
    x = torch.randn(12, 8, 3, 3)
    other = x.clone()
    other[1] += torch.randn(8, 1, 1)
    changed = (mixing(x, 6) - mixing(other, 6)).abs().amax((1, 2, 3)) > 1e-6
    assert changed.tolist() == [True] * 6 + [False] * 6


def test_every_condition_has_a_say_and_clips_stay_apart(denoiser):
    noisy, expected = torch.randn(2, 2, 7, 4, 14, 14)
    inputs = {
        "noisy": noisy,
        "level": torch.tensor([0.1, -0.5]),
        "reference": torch.randn(2, 4, 14, 14),
        "motion": torch.randn(2, 7, 6),
        "expected": expected,
    }
    with torch.no_grad():
        found = denoiser(**inputs)
        assert found.shape == noisy.shape
        for key, value in inputs.items():
            other = value.clone()
            other[1] += 1
            changed = denoiser(**(inputs | {key: other}))
            assert torch.equal(changed[0], found[0]) and (changed[1] - found[1]).abs().max() > 1e-4, key


def test_an_untrained_denoiser_says_nothing_at_all():
    denoiser = ResidualDenoiser((16, 16), 1, 2, 6).eval()
    with torch.no_grad():
        found = denoiser(torch.randn(1, 5, 4, 14, 14), torch.zeros(1), torch.randn(1, 4, 14, 14),
                         torch.randn(1, 5, 6), torch.randn(1, 5, 4, 14, 14))  # fmt: skip
    assert not found.any()


def test_without_steps_a_clip_is_exactly_the_transports(pipeline, given):
    looks, codes = given
    clips = pipeline(looks, codes, num_inference_steps=0, detail=False, generator=seeds(1, 2, 3)).clips
    with torch.no_grad():
        reference = encode(pipeline.vae, looks)
        latents = reference[:, None] + pipeline.transport.predict(reference, codes)
        expected = decode(pipeline.vae, latents.flatten(0, 1)).unflatten(0, (3, 20))
    assert torch.equal(clips, expected)


@pytest.mark.parametrize("sampler", RESIDUAL_SAMPLERS)
@pytest.mark.parametrize("steps", [1, 4, 9])
def test_an_exact_denoiser_finds_the_residual_in_any_number_of_steps(pipeline, given, monkeypatch, sampler, steps):
    """Where the network knows the clean residual, the clip is the prediction and it, in units of its spread."""
    looks, codes = given
    clean = 0.5 * torch.randn(3, 20, 4, 14, 14, generator=torch.Generator().manual_seed(5))
    taken = []

    def knows(noisy, level, reference, motion, expected):
        sigma = (4 * level).exp()[:, None, None, None, None]
        taken.append(float(sigma[0]))
        x = noisy * (sigma**2 + 1).sqrt()
        return (clean - x / (sigma**2 + 1)) * (sigma**2 + 1).sqrt() / sigma

    monkeypatch.setattr(pipeline.denoiser, "forward", knows)
    shown = []
    monkeypatch.setattr("echo_augment.augmentor.mcdm.pipeline.decode", lambda vae, latents: shown.append(latents) or
                        torch.zeros(len(latents), 112, 112, dtype=torch.uint8))  # fmt: skip
    monkeypatch.setattr(
        "echo_augment.augmentor.mcdm.sampling.predict_windows", lambda predict, x, _: predict(x, slice(0, 20))
    )
    pipeline(looks, codes, num_inference_steps=steps, sampler=sampler, detail=False, generator=seeds(1, 2, 3))
    with torch.no_grad():
        reference = encode(pipeline.vae, looks)
        residual = shown[0].unflatten(0, (3, 20)) - reference[:, None] - pipeline.transport.predict(reference, codes)
    spread = torch.tensor(pipeline.denoiser.config["spread"])[:, None, None]
    torch.testing.assert_close(residual / spread, clean, atol=2e-3, rtol=1e-2)
    assert taken[0] == pytest.approx(SIGMA_MAX, rel=1e-3) and len(taken) == steps


def test_seeds_decide_a_clip_whatever_it_is_batched_with(pipeline, given):
    looks, codes = given
    three = pipeline(looks, codes, num_inference_steps=2, generator=seeds(1, 2, 3)).clips
    again = pipeline(looks, codes, num_inference_steps=2, generator=seeds(1, 2, 3)).clips
    turned = pipeline(looks.flip(0), codes.flip(0), num_inference_steps=2, generator=seeds(3, 2, 1)).clips
    other = pipeline(looks, codes, num_inference_steps=2, generator=seeds(4, 2, 3)).clips
    assert three.shape == (3, 20, 112, 112) and torch.equal(three, again)
    assert (three.int() - turned.flip(0).int()).abs().max() <= 1
    assert not torch.equal(three[0], other[0]) and torch.equal(three[1:], other[1:])


def test_masks_ride_along_and_change_no_clip(pipeline, given):
    looks, codes = given
    masks = torch.zeros(3, 112, 112, dtype=torch.bool)
    masks[:, 40:70, 45:65] = True
    output = pipeline(looks, codes, num_inference_steps=0, masks=masks)
    plain = pipeline(looks, codes, num_inference_steps=0)
    assert torch.equal(output.clips, plain.clips) and plain.masks is None
    assert output.masks.shape == (3, 20, 112, 112) and output.masks.dtype == torch.bool
    moves = pipeline.displacements(looks, codes)
    assert moves.shape == (3, 20, 2, 28, 28) and 0 < moves.abs().max() <= 20
    sizes = output.masks.sum((2, 3))
    assert (sizes > 0).all() and sizes.float().std() > 0


def test_saved_and_loaded_makes_the_same_clip(pipeline, given, tmp_path):
    pipeline.save_pretrained(tmp_path)
    loaded = MCDMPipeline.load(str(tmp_path))
    loaded.set_progress_bar_config(disable=True)
    assert isinstance(loaded.denoiser, ResidualDenoiser) and isinstance(loaded.scheduler, EDMEulerScheduler)
    assert list(loaded.denoiser.config["spread"]) == [0.1, 0.2, 0.3, 0.4]
    looks, codes = given
    clips = [one(looks, codes, num_inference_steps=3, detail=False, generator=seeds(1, 2, 3)).clips.int()
             for one in (pipeline, loaded)]  # fmt: skip
    assert (clips[0] - clips[1]).abs().max() <= 1


def test_codes_are_read_of_mafes_features(pipeline, hearts, monkeypatch):
    codes = transport_codes(pipeline.mafe, pipeline.transport, hearts[0])
    assert codes.shape == (len(hearts[0].grid), 6)
    parts = transport_codes(pipeline.mafe, pipeline.transport, hearts[0], batch=5)
    np.testing.assert_allclose(codes, parts, atol=1e-4)

    def refuse(*args):
        raise AssertionError("the flow estimator is not asked")

    monkeypatch.setattr("echo_augment.augmentor.mcdm.motion.FlowEstimator", refuse)
    np.testing.assert_allclose(pipeline.encode_motion(hearts[0]).numpy(), codes, atol=1e-5)
    project = pipeline.transport.encoder.project[1].linear.weight
    with torch.no_grad():
        kept = project.clone()
        project.zero_()
        without = transport_codes(pipeline.mafe, pipeline.transport, hearts[0])
        project.copy_(kept)
    assert np.abs(without - codes).max() > 1e-4


def test_what_a_residual_denoiser_does_not_know_is_refused(pipeline, untrained, given):
    looks, codes = given
    with pytest.raises(EchoAugmentError, match="sampler=ddpm is not for a residual denoiser"):
        pipeline(looks, codes, sampler="ddpm", num_inference_steps=2)
    with pytest.raises(EchoAugmentError, match="guidance_scale=2 is not for a residual denoiser"):
        pipeline(looks, codes, guidance_scale=2, num_inference_steps=2)
    with pytest.raises(EchoAugmentError, match=r"masks must have the reference frames' shape, got \(3, 8, 8\)"):
        pipeline(looks, codes, masks=torch.zeros(3, 8, 8, dtype=torch.bool))
    still = torch.zeros(1, 112, 112, dtype=torch.uint8)
    with pytest.raises(EchoAugmentError, match="masks need a transport, on whose displacement they ride"):
        untrained(still, torch.zeros(1, 16, 50), masks=still.bool())
    parts = {name: getattr(pipeline, name) for name in ("vae", "denoiser", "mafe", "reid", "transport")}
    with pytest.raises(EchoAugmentError, match="ResidualDenoiser and DDIMScheduler do not belong together"):
        MCDMPipeline(**parts, scheduler=untrained.scheduler, code="transport")
    with pytest.raises(EchoAugmentError, match="ResidualDenoiser do not belong together"):
        MCDMPipeline(**(parts | {"transport": None}), scheduler=edm_scheduler(), code="transport")
