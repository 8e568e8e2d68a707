"""Letters stand still and an ECG runs; moving tissue is neither."""

import cv2
import numpy as np
import pytest

from echo_augment.augmentor.data.importers.overlays import (
    blocks,
    drawn_over,
    running_trace,
    stands_out,
    stroke_reach,
    without_dots,
)
from tests.fakes.cines import beating, ecg_line, letters, with_ecg, with_letters

LUMA = beating(30)
SHAPE = LUMA.shape[1:]


def span(luma):
    return luma.min(axis=0), luma.max(axis=0)


def test_nothing_is_drawn_over_tissue_that_only_moves():
    assert drawn_over(*span(LUMA)).mean() < 0.001
    assert not running_trace(LUMA, *span(LUMA)).any()


@pytest.mark.parametrize("place", [(110, 150), (4, 14)])
def test_letters_are_found_with_the_gaps_between_them(place):
    found = drawn_over(*span(with_letters(LUMA, "LV 19:43", place)))
    where = letters(SHAPE, "LV 19:43", place)
    assert found[where].all()
    rows, columns = np.nonzero(where)
    box = found[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert box.mean() > 0.9 and found.sum() < 3 * box.size


def test_a_running_line_is_found_and_no_letters_with_it():
    drawn = with_letters(with_ecg(LUMA, 190), "LV", (110, 100))
    found = running_trace(drawn, *span(drawn))
    line = np.zeros(SHAPE, np.uint8)
    cv2.polylines(line, [ecg_line(30, SHAPE[1], 190)[-1]], False, 1, 1)
    assert found[line > 0].mean() > 0.9 and not found[letters(SHAPE, "LV", (110, 100))].any()


def test_a_line_that_stands_still_does_not_run():
    still = LUMA.copy()
    line = ecg_line(30, SHAPE[1], 190)[-1]
    for frame in still:
        cv2.polylines(frame, [line], False, 230, 1)
    assert not running_trace(still, *span(still)).any() and drawn_over(*span(still))[190, 10:40].any()


def test_thickness_of_a_stroke_grows_with_the_picture():
    assert [stroke_reach(np.zeros(shape, np.uint8)) for shape in ((40, 40), (240, 320), (800, 600))] == [2, 6, 15]


def test_a_stroke_stands_out_and_an_area_does_not():
    picture = np.full((40, 60), 50, np.uint8)
    picture[20, 5:55] = 200
    picture[2:16, 2:30] = 180
    out = stands_out(picture, 2)
    assert (out[20, 5:55] == 150).all() and (out[2:16, 2:30] == 0).all() and out[30, 30] == 0


def test_groups_of_few_pixels_are_dots():
    mask = np.zeros((40, 60), np.bool_)
    mask[5, 5:8] = mask[20, 5:25] = True
    kept = without_dots(mask, 10)
    assert kept[20, 5:25].all() and kept.sum() == 20


def test_words_become_boxes_and_long_lines_stay_lines():
    drawn = np.zeros((100, 200), np.bool_)
    drawn[10:18:2, 10:40:3] = True  # a word
    np.fill_diagonal(drawn[30:, 60:], True)  # a slanting line
    made = blocks(drawn, 4)
    assert made[10:17, 10:38].all() and made[drawn].all()
    assert made[30:, 60:].sum() < 5 * 70
