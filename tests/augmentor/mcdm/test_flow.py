"""The reference's detail on a decoded clip: still where nothing moves, carried along where something does."""

import cv2
import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import counterfactual, sample_phantom
from echo_augment.augmentor.mcdm.flow import carry_detail, carry_details, visible_motion


def blur(frames):
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 2.5) for frame in frames])


@pytest.fixture(scope="module")
def beat():
    phantom = sample_phantom(31, format=2)
    return counterfactual(phantom, phantom, num_frames=10, fps=12.5).frames


def error(first, second):
    return np.abs(first.astype(float) - second.astype(float)).mean()


def test_a_still_clip_gives_back_the_sharp_reference(beat):
    soft = blur(beat[:1])[0]
    clip = carry_detail(np.repeat(soft[None], 4, 0), beat[0], soft)
    np.testing.assert_array_equal(clip, np.repeat(beat[:1], 4, 0))


def test_detail_moves_with_the_tissue(beat):
    """A blurred clip of a shifted heart becomes the shifted sharp heart, not the sharp heart at the old place."""
    shift = np.float32([[1, 0, 5], [0, 1, 0]])
    moved = cv2.warpAffine(beat[0], shift, (112, 112), borderMode=cv2.BORDER_REFLECT)
    clip = carry_detail(np.repeat(blur(moved[None]), 3, 0), beat[0], blur(beat[:1])[0])
    middle = np.s_[20:90, 20:90]
    assert error(clip[1][middle], moved[middle]) < 0.5 * error(beat[0][middle], moved[middle])
    assert error(clip[1][middle], moved[middle]) < 0.7 * error(blur(moved[None])[0][middle], moved[middle])


def test_a_blurred_beat_comes_nearer_to_the_sharp_one(beat):
    soft = blur(beat)
    clip = carry_detail(soft, beat[0], soft[0])
    assert error(clip, beat) < 0.8 * error(soft, beat)
    assert error(clip, beat) < 0.8 * error(np.repeat(beat[:1], len(beat), 0), beat)


def test_a_clip_does_not_depend_on_its_batch(beat):
    soft = blur(beat)
    pair = carry_details(np.stack([soft, soft[::-1]]), beat[[0, 3]], soft[[0, 3]])
    np.testing.assert_array_equal(pair[1], carry_detail(soft[::-1], beat[3], soft[3]))


def test_invisible_motion_is_none():
    flows = np.zeros((5, 2, 32, 32), np.float32)
    flows[:, 0] = 0.9
    assert not visible_motion(flows).any()
    flows[:, 0] = 4.0
    assert visible_motion(flows)[2, 0, 16, 16] == pytest.approx(4.0)
