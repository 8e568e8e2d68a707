"""The sector's polar grid, its way back from pixels, and marks that stay outside it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import sample_phantom
from echo_augment.augmentor.data.phantom.sector import BEAMS, ROWS, draw_marks, make_sector

VIEW = replace(
    sample_phantom(4).appearance, origin_x=60.0, origin_y=5.0, half_angle=0.75, depth=100.0, near_cut=4.0, marker=200
)


@pytest.mark.parametrize("size", [56, 112, 200])
def test_pixels_find_back_to_their_beam_and_row(size: int):
    sector = make_sector(VIEW, size)
    rows, columns = np.nonzero(sector.window)
    beam, row = sector.to_beam[rows, columns], sector.to_row[rows, columns]
    assert (
        beam.min() >= -1e-3 and beam.max() <= BEAMS - 1 + 1e-3 and row.min() >= -1e-3 and row.max() <= ROWS - 1 + 1e-3
    )
    angle, radius = -0.75 + beam * sector.beam_step, 4 + row * sector.row_step
    x, y = ((index + 0.5) * 112 / size - 0.5 for index in (columns, rows))
    np.testing.assert_allclose(60 + radius * np.sin(angle), x, atol=1e-3)
    np.testing.assert_allclose(5 + radius * np.cos(angle), y, atol=1e-3)


def test_the_grid_spans_the_sector_from_face_to_depth_and_edge_to_edge():
    sector = make_sector(VIEW, 112)
    assert sector.x.shape == sector.y.shape == (ROWS, BEAMS)
    distance = np.hypot(sector.x - 60, sector.y - 5)
    np.testing.assert_allclose(distance[[0, -1]], [[4] * BEAMS, [100] * BEAMS], rtol=1e-5)
    assert sector.share[[0, -1], 0].tolist() == pytest.approx([0.04, 1])
    assert sector.bearing[0, [0, -1]].tolist() == pytest.approx([-1, 1])


def test_the_window_has_the_area_of_the_sector():
    area = 0.75 * (100**2 - 4**2)
    small = replace(VIEW, half_angle=0.4)
    assert make_sector(small, 112).window.sum() == pytest.approx(area * 0.4 / 0.75, rel=0.01)
    assert make_sector(small, 224).window.sum() == pytest.approx(4 * area * 0.4 / 0.75, rel=0.01)
    assert set(np.unique(make_sector(VIEW, 112).window)) == {0, 1}


def test_without_bar_and_mark_nothing_is_drawn():
    assert draw_marks(replace(VIEW, scale_bar=0, marker=0), 112).max() == 0


@pytest.mark.parametrize("style", [1, 2, 3])
def test_a_scale_bar_lies_right_of_the_sector(style: int):
    view = replace(VIEW, scale_bar=style, marker=0, half_angle=0.5, scale_position=0.4)
    drawn = draw_marks(view, 112)
    rows, columns = np.nonzero(drawn > 100)
    assert len(rows) > 10 and (columns > 60).all()
    assert (np.arctan2(columns - 60, rows - 5) > 0.5).mean() > 0.9


def test_styles_differ_and_a_mark_has_its_level():
    styles = [draw_marks(replace(VIEW, scale_bar=style, half_angle=0.5), 112) for style in (1, 2, 3)]
    assert all((one != other).any() for one, other in pairwise(styles))
    bright, dim = (draw_marks(replace(VIEW, scale_bar=0, marker=level), 112) for level in (240, 120))
    assert 120 < bright.max() <= 240 and dim.max() == pytest.approx(bright.max() / 2, abs=2)
    assert (np.nonzero(bright)[0] < 10).all(), "the mark is at the top"
