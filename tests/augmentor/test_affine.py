"""Which affine changes keep a single-plane disc EF: computed on drawn ventricles, by the disc formula itself."""

import random

import numpy as np
import pytest

from echo_augment.augmentor.affine import (
    LIGHT,
    SCALE,
    SHIFT,
    STRETCH,
    TURN,
    AffineChange,
    AffineFamily,
    changed_images,
    changed_masks,
    draw_affine,
    rotations,
)
from echo_augment.augmentor.data.phantom import sample_phantom
from echo_augment.augmentor.data.phantom.geometry import contours, lv_volumes, pose_at, traces

DISCS = 20


def disc_volume(border, apex, base):
    """Discs across the axis from apex to base, their diameters cut out of the border ``(N, 2)`` itself."""
    axis = base - apex
    length = np.hypot(*axis)
    along, across = (border - apex) @ axis / length, (border - apex) @ np.array([-axis[1], axis[0]]) / length
    after, beside = np.roll(along, -1), np.roll(across, -1)
    total = 0.0
    for disc in range(DISCS):
        place = (disc + 0.5) / DISCS * length
        cut = (along - place) * (after - place) < 0
        if cut.any():
            at = across[cut] + (place - along[cut]) / (after[cut] - along[cut]) * (beside[cut] - across[cut])
            total += np.ptp(at) ** 2
    return np.pi / 4 * length / DISCS * total


def disc_ef(frames, linear=None):
    """EF in percent of ``(border, apex, base)`` at ED and at ES, all of them changed by one linear map."""
    ed, es = (disc_volume(*(part if linear is None else part @ linear.T for part in frame)) for frame in frames)
    return 100 * (1 - es / ed)


def half_ellipse(width, length, angle=0.0):
    turns = np.linspace(0, np.pi, 400)
    border = np.stack([width * np.cos(turns), length * (1 - np.sin(turns))], axis=1)  # apex in the origin
    turned = rotations(np.array([angle]))[0]
    return border @ turned.T, np.zeros(2), np.array([0.0, length]) @ turned.T


@pytest.fixture(scope="module")
def ventricles():
    """Drawn ventricles at ED and ES, of hearts that also rock and contract unevenly."""
    found = []
    for seed in range(25):
        phantom = sample_phantom(seed)
        times = np.linspace(0, 1.2, 60)
        volumes = lv_volumes(phantom.motion, phantom.appearance, times)
        pose = pose_at(phantom.motion, phantom.appearance, times[[int(volumes.argmax()), int(volumes.argmin())]])
        borders = contours(phantom.motion, phantom.appearance, pose, points=150)
        axes = traces(phantom.motion, phantom.appearance, pose)[:, 0]
        found.append([(border, axis[:2], axis[2:]) for border, axis in zip(borders, axes, strict=True)])
    return found


def test_similarity_and_anisotropy_along_the_axis_keep_the_disc_ef_and_shear_does_not():
    hearts = [half_ellipse(20, 45), half_ellipse(13, 38)]
    before = disc_ef(hearts)
    assert before == pytest.approx(100 * (1 - 13**2 * 38 / (20**2 * 45)), abs=0.3)
    similar = 1.3 * rotations(np.array([0.4]))[0]
    along = rotations(np.array([0.3]))[0] @ np.diag([1.2, 0.8])
    assert disc_ef(hearts, similar) == pytest.approx(before, abs=1e-6)
    assert disc_ef(hearts, along) == pytest.approx(before, abs=1e-6)
    errors = [disc_ef(hearts, np.array([[1.0, shear], [0.0, 1.0]])) - before for shear in (0.15, 0.3)]
    assert 0.01 < abs(errors[0]) < abs(errors[1]) < 1
    assert errors[1] / errors[0] == pytest.approx(4, rel=0.4), "by the square of the shear"
    oblique = rotations(np.array([np.pi / 4]))[0] @ np.diag([1.16, 0.86]) @ rotations(np.array([-np.pi / 4]))[0]
    assert abs(disc_ef(hearts, oblique) - before) > 0.01


def test_anisotropy_costs_where_the_axis_turns_from_ed_to_es():
    hearts = [half_ellipse(20, 45), half_ellipse(13, 38, angle=0.1)]
    assert disc_ef(hearts, 1.3 * rotations(np.array([0.4]))[0]) == pytest.approx(disc_ef(hearts), abs=1e-6)
    assert abs(disc_ef(hearts, np.diag([1.16, 0.86])) - disc_ef(hearts)) > 0.1


def test_over_the_family_the_ef_is_off_by_less_than_any_label(ventricles):
    drawn = draw_affine(np.random.default_rng(0), 40)
    errors = np.array([[disc_ef(heart, one) - disc_ef(heart) for one in drawn.linear] for heart in ventricles])
    assert np.abs(errors).mean() < 0.35 and abs(errors.mean()) < 0.15
    assert np.percentile(np.abs(errors), 95) < 1.1


def test_draws_fill_their_ranges_and_amount_narrows_them():
    drawn, small = draw_affine(np.random.default_rng(0), 2000), draw_affine(np.random.default_rng(0), 2000, 0.5)
    for one, share in ((drawn, 1.0), (small, 0.5)):
        sizes = np.log(np.abs(np.linalg.det(one.linear))) / 2
        assert 0.9 * share * SCALE < sizes.max() <= share * (SCALE + STRETCH)
        assert share * SHIFT * 2 * 0.97 < np.abs(one.shift).max() <= share * SHIFT * 2
        for light in (one.gain, one.gamma):
            assert share * LIGHT * 0.97 < np.abs(np.log(light)).max() <= share * LIGHT
        left, _, right = np.linalg.svd(one.linear)
        turns = np.rad2deg(np.arctan2(*(left @ right)[:, [1, 0], 0].T))
        assert share * TURN * 0.97 < np.abs(turns).max() <= share * TURN + 1e-9
    assert np.allclose(draw_affine(np.random.default_rng(0), 3, 0.0).linear, np.eye(2))


def change(linear=((1, 0), (0, 1)), shift=(0, 0), gain=1.0, gamma=1.0):
    return AffineChange(*(np.array([value], float) for value in (linear, shift, gain, gamma)))


def test_images_and_masks_go_where_the_map_says():
    images = np.zeros((2, 40, 60, 1), np.float32)
    images[:, 18:22, 28:32] = 0.25
    masks = images[..., 0] > 0
    moved = change(((2, 0), (0, 2)), shift=(0.5, 0.0), gain=1.5, gamma=0.5)
    shown, mask = changed_images(images, moved), changed_masks(masks, moved)
    assert shown.dtype == np.float32 and mask.dtype == np.bool_
    assert np.allclose(shown[:, 17:23, 42:48, 0], 1.5 * 0.5, atol=1e-5), "twice as large, a quarter of the width right"
    assert shown[0, 0].max() == 0 and shown.max() <= 1
    assert mask.sum() == pytest.approx(4 * masks.sum(), rel=0.15)
    places = np.argwhere(mask[0]).mean(0)
    assert places == pytest.approx([19.5, 44.5], abs=0.6)


def test_the_family_draws_from_the_state_it_is_given():
    family = AffineFamily()
    images = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)
    found = []
    for seed in (1, 1, 2):
        family.set_random_state(np.random.default_rng(seed), random.Random(0))
        found.append(family(images=images, masks=images[..., 0] > 0.5))
    assert np.array_equal(found[0]["images"], found[1]["images"])
    assert not np.array_equal(found[0]["images"], found[2]["images"])
    assert set(found[0]) == {"images", "masks"} and set(family(images=images)) == {"images"}
