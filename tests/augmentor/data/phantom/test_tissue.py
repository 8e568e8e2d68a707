"""The plate of scatterers: its helpers, the levels of its tissues, and the seeds that it hangs on."""

from dataclasses import replace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import sample_phantom
from echo_augment.augmentor.data.phantom.tissue import (
    ABOVE,
    LEFT,
    TEXELS,
    anatomy,
    ellipse,
    inside,
    lumps,
    make_plate,
    ridge,
)

VIEW = replace(sample_phantom(4).appearance, foreshortening=0.0, lv_length=60.0, lv_width=20.0, lv_widest=0.6)


def at(plate: np.ndarray, across: float, along: float) -> float:
    """Mean of a plate in 3x3 texels around heart coordinates."""
    row, column = round((along + ABOVE) * TEXELS), round((across + LEFT) * TEXELS)
    return float(plate[row - 1 : row + 2, column - 1 : column + 2].mean())


def test_lumps_have_unit_variance_and_their_size():
    fine, coarse = (lumps(np.random.default_rng(0), (200, 160), size) for size in ((4, 4), (25, 25)))
    assert fine.shape == (200, 160) and fine.dtype == np.float32
    for field in (fine, coarse):
        assert abs(field.mean()) < 1e-4 and field.std() == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(coarse, axis=0)).mean() < 0.4 * np.abs(np.diff(fine, axis=0)).mean()


def test_soft_steps_lines_and_ellipses():
    assert inside(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), 2).tolist() == [0, 0, 0.5, 1, 1]
    assert ridge(np.array([0.0, 2.0, -2.0]), 2).tolist() == pytest.approx([1, np.exp(-0.5), np.exp(-0.5)])
    places = np.array([1.0, 5.0, 1.0, 9.0]), np.array([2.0, 2.0, 8.0, 2.0])
    assert ellipse(*places, 1, 2, 4, 6).tolist() == pytest.approx([4, 0, 0, -4]), "centre, both borders, outside"


def test_blood_lies_between_a_bright_septum_and_the_lateral_wall():
    view = replace(VIEW, septum_db=-4.0, lateral_db=-10.0, blood_db=-44.0, papillary_db=-44.0)
    level = anatomy(view, np.random.default_rng(1))
    assert level.dtype == np.float32
    middle = 0.6 * 60
    blood = at(level, 0, middle)
    assert blood == pytest.approx(-44, abs=1.5)
    septum, lateral = (at(level, side * (20 + 0.4 * wall), middle) for side, wall in
                       ((-1, view.septum_wall), (1, view.lateral_wall)))  # fmt: skip
    assert septum > blood + 20 and lateral > blood + 20 and septum > lateral
    assert at(level, 0, 60 + 0.4 * 60 * view.la_length) == pytest.approx(-44, abs=3), "the left atrium holds blood"


def test_a_brighter_tissue_is_brighter_by_as_much():
    dim, bright = (anatomy(replace(VIEW, outside_db=level), np.random.default_rng(1)) for level in (-30.0, -20.0))
    assert at(bright - dim, -80, 20) == pytest.approx(10, abs=0.01)
    assert at(bright - dim, 0, 36) == pytest.approx(0, abs=0.01), "blood stays"


def test_a_plate_is_a_function_of_its_appearance_and_seed():
    first, again, other = make_plate(VIEW, 0), make_plate(VIEW, 0), make_plate(VIEW, 1)
    assert np.array_equal(first.scatterers, again.scatterers) and np.array_equal(first.level, again.level)
    assert not np.array_equal(first.scatterers, other.scatterers)
    heart = make_plate(replace(VIEW, speckle_seed=VIEW.speckle_seed + 1), 0)
    assert not np.array_equal(first.scatterers, heart.scatterers)


def test_scatterers_are_noise_of_the_tissues_amplitude():
    plate = make_plate(VIEW, 3)
    assert plate.scatterers.shape == (*plate.level.shape, 4) and plate.scatterers.dtype == np.float32
    noise = plate.scatterers / plate.level[..., None]
    assert noise.mean(axis=(0, 1)) == pytest.approx(np.zeros(4), abs=0.02)
    assert noise.std(axis=(0, 1)) == pytest.approx(np.ones(4), abs=0.02)
    assert abs(np.corrcoef(noise.reshape(-1, 4).T)[np.triu_indices(4, 1)]).max() < 0.02


def test_the_global_generator_is_left_alone():
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    make_plate(VIEW, 0)
    assert (np.random.get_state()[1] == before).all()
