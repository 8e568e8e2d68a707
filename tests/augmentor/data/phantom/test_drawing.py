"""Drawing: leaflets, shade, slices, grey; and whose each thing is, the motion's or the appearance's."""

from dataclasses import replace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import counterfactual, render, sample_phantom
from echo_augment.augmentor.data.phantom.drawing import Shade, grey_of, leaflets
from echo_augment.augmentor.data.phantom.geometry import pose_at, sides
from echo_augment.augmentor.data.phantom.sector import make_sector

HEART, OTHER = sample_phantom(12), sample_phantom(13)
CLEAN = {"noise_db": -90.0, "haze_db": -90.0, "clutter_db": -90.0, "persistence": 0.0, "side_lobes": 0.0}


def test_leaflets_open_towards_the_apex():
    pose = pose_at(HEART.motion, HEART.appearance, np.zeros(1))
    septal, lateral = sides(HEART.motion, HEART.appearance, pose, np.array([1.0]))
    hinges = septal[:, 0], lateral[:, 0]
    shut, wide = (leaflets(HEART.motion, pose, hinges, 0, opening, 0.0) for opening in (0.0, 1.0))
    for closed, open_ in zip(shut, wide, strict=True):
        np.testing.assert_allclose(closed[0], open_[0])
        assert np.linalg.norm(open_[-1] - pose.apex[0]) < np.linalg.norm(closed[-1] - pose.apex[0]) - 2


def test_shade_moves_with_the_breath_only_where_it_is_told_to():
    still = replace(HEART.appearance, shade_sway=0.0, shadow_db=20.0)
    sector = make_sector(still, 112)
    fixed = Shade(still, sector)
    assert (fixed(0.0) == fixed(0.1)).all()
    moving = Shade(replace(still, shade_sway=0.1), sector)
    assert np.abs(np.log(moving(0.0) / moving(0.1))).max() > 0.3
    dark = Shade(replace(still, shadow_angle=0.0), sector)(0.0)
    clear = Shade(replace(still, shadow_angle=0.0, shadow_db=0.0), sector)(0.0)
    assert (dark / clear).min() == pytest.approx(0.1, rel=0.05), "20 dB are a tenth of the amplitude"


def test_the_knee_keeps_black_and_white():
    power = np.logspace(-8, 1, 50, dtype=np.float32)[None]
    plain, bent = (grey_of(replace(HEART.appearance, knee=knee), power) for knee in (0.0, 0.8))
    assert bent.min() == plain.min() == 0 and bent.max() == plain.max() == 1
    assert (np.diff(bent) >= 0).all() and np.abs(bent - plain).max() > 0.03


def test_what_stays_in_its_plane_keeps_its_speckle():
    """A heart that only leaves the plane: a thick slice shows the same picture throughout, a thin one another."""
    motion = replace(
        HEART.motion,
        **dict.fromkeys(("long_strain", "short_strain", "deformation", "shear", "annulus_tilt", "septal_bounce"), 0.0),
        **dict.fromkeys(("apex_sway", "right_side", "drift", "jolts", "breath_shift", "plane_length"), 0.0),
        **dict.fromkeys(("rock_angle", "rock_shift", "irregularity", "ectopic", "delay", "restless"), 0.0),
        **{"plane_shift": 0.1, "plane_twist": 0.05, "phase": 0.0},
    )
    alike = {}
    for elevation in (0.0, 2.0):
        view = replace(HEART.appearance, **CLEAN, shade_sway=0.0, elevation=elevation, valve_db=-90.0)
        frames = render(motion, view, num_frames=12, fps=25).frames.reshape(12, -1).astype(float)
        alike[elevation] = min(np.corrcoef(frames[0], frame)[0, 1] for frame in frames)
    assert alike[0.0] > 0.999 and alike[2.0] < 0.9


def test_a_counterfactual_is_the_very_clip_of_motion_and_appearance():
    """The scatterers are the appearance's and every course over time is the motion's: no seed of either is left out."""
    made = counterfactual(HEART, OTHER, num_frames=6)
    again = render(HEART.motion, OTHER.appearance, num_frames=6)
    assert (made.frames == again.frames).all() and (made.masks == again.masks).all()
    courses = replace(HEART.motion, rhythm_seed=HEART.motion.rhythm_seed + 1)
    assert (render(courses, OTHER.appearance, num_frames=6).frames != made.frames).mean() > 0.05
    later = counterfactual(HEART, OTHER, num_frames=3, start=3 / 50)
    assert (later.masks == made.masks[3:]).all()
