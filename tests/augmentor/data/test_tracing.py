"""Tracings: the forms of the file, and masks against pixels worked out by hand or by scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.augmentor.data import EchoNetDynamic, read_table
from echo_augment.augmentor.data.checkup import check_dataset
from echo_augment.augmentor.data.tracing import fill_polygon, outline, read_tracings, tracing_area, tracing_mask
from echo_augment.cache.errors import EchoAugmentError

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
    assert list(tracings.frames["A"]) == [11, 4] and tracings.bad_lines == []
    assert list(read_tracings(path, "file").frames["A"]) == [4, 11]
    with pytest.raises(EchoAugmentError, match="traces must be"):
        read_tracings(path, "size")
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


def full_lines(name, frame, half_width):
    """The long axis and 20 chords of a tapering ventricle, as EchoNet-Dynamic writes them."""
    lines = [f"{name},15,3,15,22,{frame}"]
    for step in range(20):
        wide = half_width * (1 - 0.03 * step)
        lines.append(f"{name},{15 - wide},{3.5 + 0.9 * step},{15 + wide},{3.5 + 0.9 * step},{frame}")
    return lines


HEAD = "FileName,X1,Y1,X2,Y2,Frame"


@pytest.mark.parametrize(
    "change", [lambda lines: lines + lines, lambda lines: [one for one in lines for _ in range(3)]]
)
def test_repeated_lines_count_once(tmp_path, change):
    lines = full_lines("A", 7, 4)
    for name, written in (("once.csv", lines), ("more.csv", change(lines))):
        (tmp_path / name).write_text("\n".join([HEAD, *written]))
    once, more = (read_tracings(tmp_path / name).frames["A"][7] for name in ("once.csv", "more.csv"))
    assert len(once) == 21 and np.array_equal(once, more)


def test_an_outline_of_points_that_is_repeated_counts_once_and_may_touch_itself(tmp_path):
    points = [f"A,{x},{y},7" for x, y in [(2, 2), (9, 2), (9, 9), (2, 9)]]
    (tmp_path / "a.csv").write_text("\n".join(["FileName,X,Y,Frame", *points, *points]))
    assert len(read_tracings(tmp_path / "a.csv").frames["A"][7]) == 4
    (tmp_path / "a.csv").write_text("\n".join(["FileName,X,Y,Frame", *points, points[0]]))
    assert len(read_tracings(tmp_path / "a.csv").frames["A"][7]) == 5


def test_frames_are_ordered_by_area_whatever_the_file_does(maker, tools):
    lines = full_lines("A.avi", 3, 8) + full_lines("A.avi", 30, 5.6)
    table = read_table(maker([tools.row("A")], ["A"], tracings=lines))
    assert list(table.tracings["A"]) == [30, 3] and [problem.kind for problem in table.problems] == ["order"]


@pytest.mark.parametrize("key", [lambda line: line.split(",")[1], lambda line: line[7:], lambda line: line[::-1]])
def test_sorted_lines_are_refused_where_masks_are_asked_for(maker, tools, key):
    lines = sorted(full_lines("A.avi", 30, 5.6), key=key) + full_lines("A.avi", 3, 8)
    root = maker([tools.row("A")], ["A"], tracings=lines)
    with pytest.raises(EchoAugmentError, match="A has the lines of frame 30 in disorder"):
        EchoNetDynamic(root, "train", ["LargeTrace", "SmallTrace"])
    assert "tracing" in {problem.kind for problem in check_dataset(root).problems}
    assert len(EchoNetDynamic(root, "train", "EF")) == 1


def test_doctor_finds_lost_lines_and_areas_that_do_not_fit(maker, tools):
    lines = full_lines("A.avi", 30, 5.6) + full_lines("A.avi", 3, 8)
    root = maker([tools.row("A", ef=50, esv=50)], ["A"], tracings=lines)
    assert {problem.kind for problem in check_dataset(root).problems} == {"short"}
    lines = full_lines("A.avi", 30, 7.9)[:-2] + full_lines("A.avi", 3, 8)
    root = maker([tools.row("A", ef=50, esv=50)], ["A"], tracings=lines)
    found = {problem.kind: problem.message for problem in check_dataset(root).problems}
    assert "has 19 lines in frame 30, EchoNet-Dynamic has 21" in found["lines"]
    assert "its volumes give 50" in found["area"]


def test_real_and_phantom_tracings_are_in_order_and_fit_their_volumes(mini):
    kinds = {problem.kind for problem in check_dataset(mini).problems}
    assert kinds.isdisjoint({"tracing", "order", "lines"}), kinds
