"""Motions: what was asked for is what the recording shows."""

from dataclasses import replace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import sample_phantom, volume_curve
from echo_augment.augmentor.data.phantom.motions import calibrate, sample_free_motion, sample_motion, settle


@pytest.mark.parametrize("ef", [18.0, 45.0, 66.0])
def test_the_recording_shows_the_ef_that_was_asked_for(ef: float):
    view = sample_phantom(2).appearance
    for seed in range(3):
        motion = sample_free_motion(np.random.default_rng(seed), ef, view)
        assert volume_curve(motion, view).ef == pytest.approx(ef, abs=1.5)


def test_settling_undoes_whatever_the_strain_was():
    heart = sample_phantom(3)
    again = settle(replace(heart.motion, short_strain=0.01), 50.0, heart.appearance)
    assert volume_curve(again, heart.appearance).ef == pytest.approx(50, abs=1.5)


def test_plain_motions_have_nothing_beside_the_contraction():
    motion = sample_motion(np.random.default_rng(1))
    assert not motion.deforms and not motion.leaves_plane and not motion.ectopic and not motion.drift
    steady = replace(motion, irregularity=0.0, phase=0.0)
    again = calibrate(steady, 40.0)
    assert volume_curve(again, sample_phantom(0, format=2).appearance).ef == pytest.approx(40, abs=2)
