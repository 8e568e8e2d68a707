"""Long clips by overlapping windows: the plain call at the trained length, every frame covered, no step at a joint."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser, predict_windows, tent, window_starts
from echo_augment.cache import EchoAugmentError


def noise(*values):
    return [torch.Generator().manual_seed(value) for value in values]


@settings(deadline=None)
@given(frames=st.integers(2, 64), more=st.integers(0, 200))
def test_windows_cover_every_frame_and_share_half(frames, more):
    starts = window_starts(frames + more, frames)
    covered = np.zeros(frames + more, int)
    for start in starts:
        covered[start : start + frames] += 1
    assert starts[0] == 0 and starts[-1] == more and covered.min() >= 1
    assert (np.diff(starts) > 0).all() and max(np.diff(starts), default=1) <= max(1, frames // 2)


def test_the_references_windows():
    assert window_starts(128, 64) == [0, 32, 64] and window_starts(64, 64) == [0]
    assert tent(6).tolist() == [1, 2, 3, 3, 2, 1]


def test_windows_that_disagree_pass_over_gradually():
    """Each window predicts its own number: the blend steps from one to the next by no more than the tent's slope."""
    latents = torch.zeros(1, 40, 1, 1, 1)
    numbers = {start: float(index) for index, start in enumerate(window_starts(40, 16))}
    blended = predict_windows(lambda part, where: torch.full_like(part, numbers[where.start]), latents, 16)[
        0, :, 0, 0, 0
    ]
    steps = blended.diff()
    assert blended[0] == 0 and blended[-1] == len(numbers) - 1
    assert (steps >= 0).all() and steps.max() < 0.25


def test_windows_that_agree_give_what_they_say():
    latents = torch.randn(2, 40, 4, 3, 3)
    torch.testing.assert_close(predict_windows(lambda part, where: 2 * part, latents, 16), 2 * latents)


def test_the_trained_length_is_the_plain_call(untrained, hearts, monkeypatch):
    reference = torch.from_numpy(hearts[0].reference.copy())[None]
    motion = untrained.encode_motion(hearts[1])[None, :16]
    settings = {"num_inference_steps": 2, "detail": False}
    clip = untrained(reference, motion, generator=noise(5), **settings).clips
    said = untrained(reference, motion, frames=16, generator=noise(5), **settings).clips
    monkeypatch.setattr(
        "echo_augment.augmentor.mcdm.sampling.predict_windows",
        lambda predict, latents, _: predict(latents, slice(0, 16)),
    )
    plain = untrained(reference, motion, generator=noise(5), **settings).clips
    assert torch.equal(clip, plain) and torch.equal(clip, said)


def test_a_clip_of_40_frames_is_smooth_at_its_joints(untrained, hearts):
    """An untrained denoiser, the same code for every frame: frames at the joints differ no more than others do."""
    reference = torch.from_numpy(hearts[0].reference.copy())[None]
    motion = untrained.encode_motion(hearts[1])[None, 3:4].repeat(1, 40, 1)
    clips = untrained(reference, motion, num_inference_steps=4, guidance_scale=1.5, generator=noise(5)).clips
    assert clips.shape == (1, 40, 112, 112) and clips.dtype == torch.uint8
    change = clips[0].float().diff(dim=0).abs().mean((1, 2))
    joints = [start - 1 for start in window_starts(40, 16)[1:]] + [start + 15 for start in window_starts(40, 16)[:-1]]
    assert change[joints].mean() < 1.5 * change.mean()


def test_too_short_a_clip_is_named(untrained):
    still = torch.zeros(1, 112, 112, dtype=torch.uint8)
    with pytest.raises(EchoAugmentError, match=r"motion must be \(B, 16, D\)"):
        untrained(still, torch.zeros(1, 8, 50))
    with pytest.raises(EchoAugmentError, match=r"motion must be \(B, 24, D\)"):
        untrained(still, torch.zeros(1, 16, 50), frames=24)


@pytest.fixture
def framewise():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return MotionDenoiser((32, 32), (False, True), (2, 2), 1, motion="frame", code_size=6, cross_attention_dim=8)


def called(denoiser, motion):
    clean = torch.zeros(1, 3, 4, 8, 8)
    return denoiser(clean, torch.tensor([500]), clean[:, 0], motion)


def test_nothing_of_a_call_stays_in_the_network(framewise):
    called(framewise, torch.randn(1, 3, 6)).sum().backward()
    kept = [value for name, value in vars(framewise).items() if isinstance(value, torch.Tensor)]
    assert kept == [], "another process would get it on its device, and a copy with a gradient raises"
    again = copy.deepcopy(framewise)
    motion = torch.randn(1, 3, 6)
    assert torch.equal(called(again, motion), called(framewise, motion))
    assert pickle.dumps(framewise), "as a live source sends it to its process"


def test_a_call_that_fails_leaves_nothing_either(framewise):
    with pytest.raises((RuntimeError, ValueError)):
        framewise(torch.zeros(1, 3, 4, 8, 8), torch.tensor([1]), torch.zeros(1, 4, 8, 8), torch.zeros(1, 3, 7))
    framewise.token = torch.nn.Identity()  # the UNet then gets a token that does not fit
    with pytest.raises(RuntimeError):
        called(framewise, torch.randn(1, 3, 6))
    assert framewise._per_frame is None


@pytest.mark.parametrize("place", [2, 12, 21])
def test_each_frame_is_told_its_own_code(place):
    """An untrained net mixes little over the whole clip: another code moves the frames around its own most."""
    torch.manual_seed(0)
    denoiser = MotionDenoiser((32, 32), (False, False), (2, 2), 1, motion="frame", code_size=6, cross_attention_dim=8)
    clean, motion = torch.randn(1, 24, 4, 8, 8), torch.randn(1, 24, 6)
    other = motion.clone()
    other[0, place] += 5
    other[0, place + 1] -= 5  # the mean code, which every frame is told, stays
    with torch.no_grad():
        v, moved = (denoiser(clean, torch.tensor([500]), clean[:, 0], codes) for codes in (motion, other))
    change = (v - moved).abs().mean((0, 2, 3, 4))
    near = change[place : place + 2].mean()
    far = torch.cat([change[: max(place - 4, 0)], change[place + 6 :]])
    assert near > 2 * far.max() > 0
