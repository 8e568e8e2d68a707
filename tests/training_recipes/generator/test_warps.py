"""Codes of affine copies are those of the copied video, and a denoiser's windows draw them where asked."""

import cv2
import numpy as np
import pytest
import torch

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.mcdm.hearts import Heart, make_heart
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import pooled, teacher_flows
from echo_augment.training_recipes.generator.denoising import WARPS, Windows, write_codes
from echo_augment.training_recipes.generator.prepared import Prepared
from echo_augment.training_recipes.generator.warps import Warp, draw_warp, warped_codes

SAME = Warp(np.eye(2), np.zeros(2))


@pytest.fixture(scope="module")
def heart() -> Heart:
    phantom = sample_phantom(4)
    clip = render(phantom.motion, phantom.appearance, seed=4, frames=60)
    return make_heart("x", clip.frames, clip.fps, rate=12.5, size=112)


def copy_of(heart: Heart, warp: Warp) -> Heart:
    """The video itself, moved by OpenCV: pixels instead of shares, their centres half a pixel in."""
    side = heart.frames.shape[1]
    offset = side * (0.5 + warp.shift - warp.linear @ np.full(2, 0.5)) + warp.linear @ np.full(2, 0.5) - 0.5
    matrix = np.column_stack([warp.linear, offset])
    frames = np.stack([cv2.warpAffine(frame, matrix, (side, side)) for frame in heart.frames])
    return Heart(heart.name, frames, heart.ed, heart.es)


def test_a_copy_that_lies_where_the_heart_does_has_its_codes(heart):
    flows = teacher_flows(heart)
    found = warped_codes(flows, heart.reference, SAME)
    np.testing.assert_allclose(found, pooled(flows, heart.reference), atol=1e-5)


@pytest.mark.parametrize(
    "warp",
    [
        Warp(np.eye(2), np.array([0.08, -0.05])),
        Warp(0.8 * np.eye(2), np.zeros(2)),
        Warp(np.array([[0.966, -0.259], [0.259, 0.966]]), np.zeros(2)),
    ],
    ids=["shift", "smaller", "turned by 15 degrees"],
)
def test_codes_of_a_copy_are_those_of_the_moved_video(heart, warp):
    seen = copy_of(heart, warp)
    truth = pooled(teacher_flows(seen), seen.reference)
    own = pooled(teacher_flows(heart), heart.reference)
    found = warped_codes(teacher_flows(heart), heart.reference, warp)
    assert np.abs(found - truth).mean() < 0.5 * np.abs(own - truth).mean()
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.95


def test_warps_are_within_what_hearts_differ_by_and_keep_volumes_shares():
    rng = np.random.default_rng(0)
    warps = [draw_warp(rng) for _ in range(200)]
    lengths = np.array([np.sqrt(np.linalg.det(warp.linear)) for warp in warps])
    assert 0.6 < lengths.min() < 0.8 and 1.2 < lengths.max() < 1.6 and 0.9 < np.median(lengths) < 1.1
    assert np.abs([warp.shift for warp in warps]).max() <= 0.1


def test_windows_hand_out_a_copy_s_motion_with_the_heart_s_own_look(heart, tmp_path):
    data = Prepared(tmp_path, [heart, heart, heart], [0, len(heart.frames), 2 * len(heart.frames)], 1, {}, [])
    write_codes(data, MAFE(width=8), "flow", tmp_path / "codes.npy", seed=3)
    raw = np.load(tmp_path / "codes.npy")
    assert raw.shape == (1 + WARPS, 3 * len(heart.grid), 50)
    assert not np.array_equal(raw[1, : len(heart.grid)], raw[1, len(heart.grid) : 2 * len(heart.grid)]), (
        "own warps each"
    )
    latents = np.random.default_rng(0).normal(size=(data.total, 4, 14, 14)).astype(np.float16)
    np.save(tmp_path / "latents.npy", latents)
    windows = Windows(data, tmp_path / "latents.npy", tmp_path / "codes.npy", frames=8, vector=False)
    own, copy = windows.window(0, 2), windows.window(0, 2, 5)
    assert torch.equal(own["latents"], copy["latents"]) and torch.equal(own["reference"], copy["reference"])
    assert not torch.equal(own["motion"], copy["motion"])
    expected = (raw[5, 2:10] - windows.mean) / windows.std
    np.testing.assert_allclose(copy["motion"].numpy(), expected, rtol=1e-4, atol=1e-5)
    drawn = windows.draw(np.random.default_rng(1), 6, warped=True)["motion"]
    plain = windows.draw(np.random.default_rng(1), 6)["motion"]
    known = [windows.window(0, at)["motion"] for at in range(len(heart.grid) - 7)]
    assert all(any(torch.equal(one, own) for own in known) for one in plain)
    assert not any(any(torch.equal(one, own) for own in known) for one in drawn)
