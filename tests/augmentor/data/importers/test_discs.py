"""Volumes by the method of discs, on bodies whose volume is known."""

import math

import numpy as np
import pytest

from echo_augment.augmentor.data.importers.discs import Discs, ejection_fraction, measure, volume


def ellipse(long, short, spacing, shape=(300, 300)):
    """A mask of an ellipse with half axes in mm, the long one down."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    y, x = (y - shape[0] / 2) * spacing[0], (x - shape[1] / 2) * spacing[1]
    return (y / long) ** 2 + (x / short) ** 2 <= 1


def test_an_ellipsoid():
    discs = measure(ellipse(40, 20, (0.4, 0.4)), (0.4, 0.4))
    assert discs.length == pytest.approx(80, rel=0.02) and discs.diameters.shape == (20,)
    assert discs.diameters.max() == pytest.approx(40, rel=0.03)
    true = 4 / 3 * math.pi * 40 * 20 * 20 / 1000
    assert true < volume(discs) < 1.08 * true, "chords are the widest of their slice: a little above"


@pytest.mark.parametrize("spacing", [(0.3, 0.6), (0.6, 0.3), (1.0, 1.0)])
def test_the_size_of_a_pixel_does_not_change_the_volume(spacing):
    fine, other = measure(ellipse(40, 20, (0.4, 0.4)), (0.4, 0.4)), measure(ellipse(40, 20, spacing), spacing)
    assert volume(other) == pytest.approx(volume(fine), rel=0.05)


def test_a_mask_of_hardly_any_pixels_has_no_discs():
    mask = np.zeros((50, 50), np.bool_)
    assert measure(mask, (1.0, 1.0)) is None
    mask[10, 10:12] = True
    assert measure(mask, (1.0, 1.0)) is None


def test_two_views_make_ellipses_of_the_longer_axis():
    first, second = Discs(80.0, np.full(20, 40.0)), Discs(60.0, np.full(20, 20.0))
    assert volume(first, second) == volume(second, first) == pytest.approx(math.pi / 4 * 40 * 20 * 80 / 1000)
    assert volume(first, first) == volume(first)


def test_ef_in_percent():
    assert ejection_fraction(120, 48) == 60 and ejection_fraction(100, 110) == -10
    assert math.isnan(ejection_fraction(0, 0)) and math.isnan(ejection_fraction(math.nan, 10))
