"""Beats: ejection, filling in two waves, irregular rhythms, the labelled beat."""

from dataclasses import replace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import Motion, Phantom, sample_phantom, volume_curve
from echo_augment.augmentor.data.phantom.rhythm import contraction


@pytest.fixture(scope="module")
def hearts() -> list[Phantom]:
    return [sample_phantom(seed) for seed in range(60)]


def test_a_beat_ejects_then_fills_in_two_waves():
    motion = Motion(heart_rate=60, phase=0, long_strain=0.15, short_strain=0.3, rapid_filling=0.4, atrial_kick=0.3)
    times = np.linspace(0, 0.999, 1000)
    curve = contraction(motion, times)
    assert curve[0] == pytest.approx(0, abs=1e-6) and curve[-1] == pytest.approx(0, abs=1e-3)
    assert curve.max() == pytest.approx(1, abs=1e-4)
    assert times[curve.argmax()] == pytest.approx(0.35, abs=0.01)
    diastasis = (times > 0.65) & (times < 0.74)
    assert np.ptp(curve[diastasis]) < 1e-3 and curve[diastasis].mean() == pytest.approx(0.3, abs=1e-3)


def test_start_shifts_the_motion(hearts: list[Phantom]):
    heart = hearts[7]
    whole = volume_curve(heart.motion, heart.appearance, num_frames=100)
    later = volume_curve(heart.motion, heart.appearance, num_frames=40, start=0.5)
    np.testing.assert_allclose(later.volumes, whole.volumes[25:65])


def test_an_irregular_rhythm_has_beats_of_several_lengths_and_efs():
    heart = sample_phantom(0, format=2)
    motion = replace(heart.motion, irregularity=0.25, heart_rate=80.0, delay=0.0)
    curve = volume_curve(motion, heart.appearance, num_frames=500)
    volumes = curve.volumes
    ends = [t for t in range(3, 497) if volumes[t] == volumes[t - 3 : t + 4].min() and volumes[t] < 0.8 * volumes.max()]
    assert np.diff(ends).std() > 2
    assert volumes[ends].std() / volumes.max() > 0.01
    steady = volume_curve(replace(motion, irregularity=0.0), heart.appearance, num_frames=500).volumes
    period = round(60 / 80 * 50 * 2)  # two beats are a whole number of frames
    np.testing.assert_allclose(steady[: -3 * period : period] - steady[period : -2 * period : period], 0, atol=2.0)


def test_the_labelled_beat_is_the_first_whole_one(hearts: list[Phantom]):
    for heart in hearts:
        curve = volume_curve(heart.motion, heart.appearance)
        assert 0 <= curve.ed_frame < curve.es_frame < 100
        assert (curve.es_frame - curve.ed_frame) / 50 < 60 / heart.motion.heart_rate
        assert curve.volumes[curve.ed_frame] == curve.edv and curve.volumes[curve.es_frame] == curve.esv
        assert curve.ef == pytest.approx(100 * (1 - curve.esv / curve.edv))
