"""Measures of re-enactment on clips whose answer is known."""

import cv2
import numpy as np
import pytest

from echo_augment.training_recipes.common.likeness import psnr
from echo_augment.training_recipes.judging.measures import dense_warp, double_edges, explained_motion, sharpness

SIDE, FRAMES = 64, 4


@pytest.fixture(scope="module")
def clip():
    """A bright bar with speckle that moves down by three pixels a frame, and its first frame."""
    rng = np.random.default_rng(0)
    speckle = cv2.GaussianBlur(rng.uniform(0, 255, (SIDE, SIDE)).astype(np.float32), (0, 0), 1)
    picture = np.full((SIDE, SIDE), 20.0, np.float32)
    picture[16:28, 8:56] = speckle[16:28, 8:56] + 80
    frames = [np.roll(picture, 3 * (t + 1), axis=0) for t in range(FRAMES)]
    as_grey = lambda image: np.clip(image, 0, 255).astype(np.uint8)  # noqa: E731
    return np.stack([as_grey(frame) for frame in frames]), as_grey(picture)


def test_explained_motion_is_1_for_the_truth_0_for_a_still_frame_and_in_between_by_squares():
    rng = np.random.default_rng(1)
    truth, still = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=(2, 3, 3))
    assert explained_motion(truth, truth, still) == 1
    assert explained_motion(np.broadcast_to(still, truth.shape), truth, still) == pytest.approx(0)
    assert explained_motion((truth + still) / 2, truth, still) == pytest.approx(0.75)
    assert explained_motion(truth + 2 * (truth - still), truth, still) == pytest.approx(-3)


def test_dense_flow_brings_the_reference_to_where_the_frames_show_it(clip):
    truth, reference = clip
    warped = dense_warp(truth, reference)
    still = np.broadcast_to(reference, truth.shape)
    assert warped.shape == truth.shape and warped.dtype == np.uint8
    assert psnr(warped, truth) > psnr(still, truth) + 5


def test_sharpness_is_a_share_of_the_true_clips(clip):
    truth, _ = clip
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in truth])
    assert sharpness(truth, truth) == 1
    assert sharpness(blurred, truth) < 0.5


def test_walls_that_stand_twice_are_told_from_moved_and_from_still_ones(clip):
    truth, reference = clip
    still = np.broadcast_to(reference, truth.shape)
    both = ((truth.astype(np.float32) + still) / 2).astype(np.uint8)
    assert double_edges(truth, truth, reference) == pytest.approx(0, abs=1e-9)
    assert double_edges(still, truth, reference) == pytest.approx(0, abs=1e-9)
    assert double_edges(both, truth, reference) > 0.8
