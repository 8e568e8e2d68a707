"""The drawn ventricle: its half-widths, its way through a beat, and a volume that the tracing confirms."""

from dataclasses import replace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import Appearance, Motion, sample_phantom, volume_curve
from echo_augment.augmentor.data.phantom.geometry import (
    centre_line,
    contours,
    from_view,
    half_widths,
    lv_volumes,
    pose_at,
    profile,
    side_strain,
    to_image,
    to_view,
    traces,
)

HEART = sample_phantom(6)
BEAT = Motion(heart_rate=60, phase=0, long_strain=0.2, short_strain=0.3, systole=0.35)
ED_ES = np.array([0.0, 0.35])


def upright(**changes: float) -> Appearance:
    """An unbent, upright ventricle of a known size."""
    known = {"tilt": 0.0, "lv_bend": 0.0, "foreshortening": 0.0, "lv_length": 60.0, "lv_width": 20.0, "mm_per_px": 1.0}
    return replace(HEART.appearance, **(known | changes))


def test_the_profile_rises_from_the_apex_to_its_widest_and_falls_to_the_base():
    view = upright(lv_widest=0.6, lv_base=0.7)
    assert profile(view, np.array([0.0, 0.6, 1.0])).tolist() == pytest.approx([0, 1, 0.7])
    x = np.linspace(0, 1, 201)
    step = np.diff(profile(view, x))
    assert (step[x[1:] <= 0.6] > 0).all() and (step[x[:-1] >= 0.6] < 0).all()
    assert profile(view, np.array([-1.0, 2.0])).tolist() == pytest.approx([0, 0.7]), "beyond the ends: as at the ends"


def test_the_axis_bows_most_in_its_middle_and_not_at_its_ends():
    bow = centre_line(upright(lv_bend=0.1), np.array([0.0, 0.25, 0.5, 1.0]))
    assert bow.tolist() == pytest.approx([0, 4.5, 6, 0])


def test_strain_leans_to_a_side_and_weakens_at_a_site():
    x = np.array([0.1, 0.5, 0.9])
    assert side_strain(BEAT, x, 1) == pytest.approx(0.3) and side_strain(BEAT, x, -1) == pytest.approx(0.3)
    leaning = replace(BEAT, asymmetry=0.2)
    assert side_strain(leaning, x, 1) == pytest.approx(0.36) and side_strain(leaning, x, -1) == pytest.approx(0.24)
    weak = replace(BEAT, regional=-0.8, regional_site=0.5, regional_side=1.0)
    lateral, septal = side_strain(weak, x, 1), side_strain(weak, x, -1)
    assert lateral[1] == pytest.approx(0.3 * 0.2) and lateral[1] < min(lateral[0], lateral[2])
    assert septal[1] == pytest.approx(0.3 * 0.8), "a quarter of the weakness reaches the other side"
    assert side_strain(replace(BEAT, short_strain=0.8, asymmetry=0.6), x, 1).max() == 0.8


def test_the_pose_shortens_and_swings_by_what_the_motion_says():
    motion = replace(BEAT, rock_angle=0.1, rock_shift=0.05)
    pose = pose_at(motion, upright(tilt=0.2), ED_ES)
    assert pose.length.tolist() == pytest.approx([60, 48], rel=1e-3)
    assert pose.angle.tolist() == pytest.approx([0.2, 0.3], rel=1e-3)
    assert (pose.apex[1] - pose.apex[0]).tolist() == pytest.approx([3, 0], abs=1e-2)
    assert (pose.septal == pose.lateral).all()


def test_a_delayed_lateral_wall_follows_the_septum():
    pose = pose_at(replace(BEAT, delay=0.1), upright(), np.array([0.1, 0.2]))
    assert pose.lateral[0] < pose.septal[0] and pose.lateral[1] == pytest.approx(pose.septal[0], abs=1e-6)


def test_half_widths_shrink_by_the_strain():
    view, x = upright(lv_widest=0.6), np.array([0.6])
    septal, lateral = half_widths(replace(BEAT, asymmetry=0.2), view, pose_at(BEAT, view, ED_ES), x)
    assert septal[:, 0].tolist() == pytest.approx([20, 20 * (1 - 0.24)], rel=1e-3)
    assert lateral[:, 0].tolist() == pytest.approx([20, 20 * (1 - 0.36)], rel=1e-3)


def test_heart_coordinates_land_where_the_lean_puts_them():
    view = upright(tilt=np.pi / 2)
    pose = pose_at(BEAT, view, ED_ES)
    found = to_image(pose, np.array([[0.0, 3.0]]), np.array([[10.0, 0.0]]))[0]
    assert found == pytest.approx(pose.apex[0] + np.array([[10, 0], [0, -3]]))


@pytest.mark.parametrize(("format", "error"), [(2, 0.02), (3, 1e-9)])
@pytest.mark.parametrize("seed", [0, 6, 13])
def test_the_tracing_of_a_frame_gives_its_volume(seed: int, format: int, error: float):
    heart = sample_phantom(seed, format=format)
    view, times = replace(heart.appearance, lv_bend=0.0), np.array([0.0, 0.13, 0.3])
    pose = pose_at(heart.motion, view, times)
    for frame, volume in enumerate(lv_volumes(heart.motion, view, times)):
        lines = traces(heart.motion, view, pose)[frame]
        assert lines.shape == (21, 4)
        lengths = np.hypot(lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1])
        cubic = np.pi / 4 * (lengths[1:] ** 2).sum() * lengths[0] / 20
        # The axis joins the middle of the base, which the walls' unequal pull moves aside, to the apex.
        assert cubic * view.mm_per_px**3 / 1000 == pytest.approx(volume, rel=error)


def test_the_view_s_coordinates_follow_the_ventricle_s_size():
    view = upright(tilt=0.3)
    points = np.random.default_rng(0).uniform(10, 100, (5, 7, 2))
    np.testing.assert_allclose(from_view(view, to_view(view, points)), points)
    small = upright(tilt=0.3, lv_length=30.0, lv_width=10.0)
    apex = from_view(view, np.zeros(2))
    np.testing.assert_allclose(to_view(small, apex + (points - apex) / 2), to_view(view, points))


def test_the_border_is_closed_at_the_apex_and_holds_the_chords():
    view = upright()
    pose = pose_at(BEAT, view, ED_ES)
    border = contours(BEAT, view, pose, points=30)[0]
    assert border.shape == (60, 2)
    assert border[29] == pytest.approx(pose.apex[0]) and border[30] == pytest.approx(pose.apex[0])
    assert (border[:29, 0] < pose.apex[0, 0]).all() and (border[31:, 0] > pose.apex[0, 0]).all()
    assert border[0, 1] == border[-1, 1] == pytest.approx(pose.apex[0, 1] + 60)
    assert np.ptp(border[:, 0]) == pytest.approx(40, abs=0.2)


def test_a_cylinder_has_the_volume_of_a_cylinder():
    """With a base as wide as the widest place and a blunt apex only the cap is missing."""
    view = upright(lv_base=1.0, lv_widest=0.3, lv_roundness=4.0)
    whole = np.pi * 20**2 * 60 / 1000
    assert 0.9 * whole < lv_volumes(BEAT, view, ED_ES)[0] < whole


def test_a_larger_heart_has_the_same_ef():
    small = replace(
        HEART.appearance, lv_length=HEART.appearance.lv_length * 0.6, lv_width=HEART.appearance.lv_width * 0.6
    )
    large, reduced = volume_curve(HEART.motion, HEART.appearance), volume_curve(HEART.motion, small)
    assert reduced.ef == pytest.approx(large.ef, abs=1e-9)
    assert reduced.edv == pytest.approx(large.edv * 0.6**3)
