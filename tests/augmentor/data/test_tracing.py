"""Tracings: the forms of the file, and masks against pixels worked out by hand or by scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.augmentor.data.tracing import fill_polygon, outline, read_tracings, tracing_area, tracing_mask

TRIANGLE = """
........
.#......
.##.....
.###....
.####...
........"""


def picture(text):
    return np.array([[letter == "#" for letter in line] for line in text.strip().splitlines()])


def integers(values):
    return np.array(values, np.int64)


def test_a_triangle_with_its_border():
    mask = fill_polygon(integers([1, 4, 1]), integers([1, 4, 4]), (6, 8))
    assert np.array_equal(mask, picture(TRIANGLE))


def test_lines_fill_between_their_ends(tmp_path, tools):
    path = tmp_path / "VolumeTracings.csv"
    path.write_text("\n".join(["FileName,X1,Y1,X2,Y2,Frame", *tools.tracing_lines("A.avi", 7, 4)]))
    mask = tracing_mask(read_tracings(path).frames["A"][7], (24, 32))
    expected = np.zeros((24, 32), np.float32)
    expected[4:17, 11:20] = 1
    assert mask.dtype == np.float32 and np.array_equal(mask, expected)


def test_column_order_case_and_spaces_do_not_matter(tmp_path, tools):
    usual, other = tmp_path / "a.csv", tmp_path / "b.csv"
    lines = tools.tracing_lines("A.avi", 7, 4)
    usual.write_text("\n".join(["FileName,X1,Y1,X2,Y2,Frame", *lines]))
    turned = [",".join([f"{line.split(',')[5]}.0", *line.split(",")[4:0:-1], "A"]) for line in lines]
    other.write_text("\n".join(["frame, y2 ,x2,Y1,X1,file name", *turned]))
    first, second = read_tracings(usual).frames["A"][7], read_tracings(other).frames["A"][7]
    assert np.array_equal(first, second)


def test_points_as_in_echonet_pediatric_are_ordered_small_to_large(tmp_path):
    large, small = [(2, 2), (20, 2), (20, 20), (2, 20)], [(5, 5), (9, 5), (9, 9)]
    lines = [f"A.avi,{x}.2,{y}.4,4" for x, y in large] + [f"A.avi,{x},{y},11" for x, y in small]
    path = tmp_path / "VolumeTracings.csv"
    path.write_text("\n".join(["FileName,X,Y,Frame", *lines, "A.avi,1,1,No Systolic"]))
    tracings = read_tracings(path)
    assert list(tracings.frames["A"]) == [11, 4] and len(tracings.bad_lines) == 1
    assert tracing_area(tracings.frames["A"][4]) == pytest.approx(18 * 18)
    assert tracing_mask(tracings.frames["A"][4], (24, 32)).sum() == 19 * 19


def test_a_polygon_may_leave_the_picture():
    assert fill_polygon(integers([-5, 50, 50, -5]), integers([-5, -5, 50, 50]), (6, 8)).all()
    assert not fill_polygon(integers([50, 60, 60]), integers([50, 60, 50]), (6, 8)).any()
    assert not fill_polygon(integers([]), integers([]), (6, 8)).any()


corner = st.tuples(st.integers(-3, 12), st.integers(-3, 12))


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(corner, min_size=1, max_size=12))
def test_the_mask_does_not_depend_on_direction_or_start(corners):
    x, y = integers([c[0] for c in corners]), integers([c[1] for c in corners])
    mask = fill_polygon(x, y, (10, 9))
    assert np.array_equal(mask, fill_polygon(x[::-1], y[::-1], (10, 9)))
    assert np.array_equal(mask, fill_polygon(np.roll(x, 1), np.roll(y, 1), (10, 9)))


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(corner, min_size=1, max_size=20))
def test_equal_to_scikit_image(corners):
    draw = pytest.importorskip("skimage.draw", reason="scikit-image is not installed")
    x, y = integers([c[0] for c in corners]), integers([c[1] for c in corners])
    expected = np.zeros((10, 9), bool)
    expected[draw.polygon(y, x, expected.shape)] = True
    assert np.array_equal(fill_polygon(x, y, expected.shape), expected)


def test_masks_of_real_tracings_have_the_area_of_their_outline(mini):
    for name, frames in read_tracings(mini / "VolumeTracings.csv").frames.items():
        for frame, tracing in frames.items():
            x, _ = outline(tracing)
            area, pixels = tracing_area(tracing), tracing_mask(tracing, (112, 112)).sum()
            assert len(x) == 40 and area < pixels < 1.15 * area, (name, frame)
