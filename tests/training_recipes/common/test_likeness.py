"""PSNR and SSIM of cases with a known answer."""

import numpy as np
import pytest

from echo_augment.training_recipes.common.likeness import frame_likeness, likeness, psnr, ssim


@pytest.fixture
def clip():
    return np.random.default_rng(0).integers(0, 200, (3, 32, 32)).astype(np.uint8)


def test_psnr_of_a_constant_error(clip):
    assert psnr(clip, clip + np.uint8(10)) == pytest.approx(20 * np.log10(255 / 10), abs=1e-6)
    assert psnr(clip, clip) == pytest.approx(10 * np.log10(255**2 / 1e-6))


def test_ssim_orders_what_is_more_and_less_alike(clip):
    assert ssim(clip, clip) == pytest.approx(1)
    blurred = (clip // 2 + np.roll(clip, 1, 2) // 2).astype(np.uint8)
    assert 0 < ssim(clip, blurred) < 0.99
    assert ssim(clip, clip[::-1]) < ssim(clip, blurred)


def test_sets_get_the_mean_over_clips_and_over_frames(clip):
    other = clip.copy()
    other[0] += 10
    apart = np.mean([psnr(clip[k, None], other[k, None]) for k in range(3)])
    assert frame_likeness(clip, other).psnr == pytest.approx(apart)
    assert likeness(clip[None], other[None]).psnr == pytest.approx(psnr(clip, other))
    assert likeness(clip[None], other[None]).ssim == pytest.approx(ssim(clip, other))
