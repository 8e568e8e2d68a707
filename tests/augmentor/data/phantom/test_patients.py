"""EF, EDV, frame rate and length are spread as in EchoNet-Dynamic's table."""

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import sample_phantom
from echo_augment.augmentor.data.phantom.patients import draw_recording, draw_volumes, resting_volume, sized


def test_volumes_are_those_of_the_table():
    drawn = np.array([draw_volumes(np.random.default_rng([seed, 1])) for seed in range(4000)])
    ef, edv = drawn.T
    assert ef.mean() == pytest.approx(55.7, abs=0.8) and ef.std() == pytest.approx(12.4, abs=0.8)
    assert edv.mean() == pytest.approx(91.3, abs=4) and edv.std() == pytest.approx(45.7, abs=5)
    assert np.corrcoef(ef, edv)[0, 1] == pytest.approx(-0.53, abs=0.04)
    assert (ef < 40).mean() == pytest.approx(0.126, abs=0.02) and (ef < 50).mean() == pytest.approx(0.224, abs=0.025)
    np.testing.assert_allclose(np.percentile(ef, (5, 25, 50, 75, 95)), (27.9, 51.6, 59.2, 64.0, 69.1), atol=2.5)
    np.testing.assert_allclose(np.percentile(edv, (5, 25, 50, 75, 95)), (40.4, 62.2, 82.1, 108.3, 173.2), rtol=0.06)


def test_recordings_are_those_of_the_table():
    frames, fps = np.array([draw_recording(np.random.default_rng([seed, 2])) for seed in range(4000)]).T
    assert (fps == 50).mean() == pytest.approx(0.79, abs=0.025)
    assert fps.min() >= 18 and fps.max() <= 138 and len(set(fps)) > 40
    assert frames.min() >= 28 and frames.max() <= 1002
    seconds = frames / fps
    np.testing.assert_allclose(np.percentile(seconds, (5, 25, 50, 75, 95)), (2.2, 2.8, 3.4, 4.0, 4.9), atol=0.15)


@pytest.mark.parametrize("edv", [30.0, 90.0, 260.0])
def test_a_heart_is_given_its_volume(edv: float):
    before = sample_phantom(4).appearance
    after = sized(before, edv)
    assert resting_volume(after) == pytest.approx(edv, rel=1e-6)
    assert (after.lv_width > before.lv_width) == (edv > resting_volume(before)), "a large ventricle looks large"
