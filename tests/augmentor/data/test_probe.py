"""The content hash sees the frames of a video, and nothing else of its file."""

import shutil
import warnings

import pytest

from echo_augment.augmentor.adapters import EchoAdapter, file_facts
from echo_augment.augmentor.data import EchoNetDynamic, content_hash, read_video, write_video
from echo_augment.augmentor.data.checkup import check_dataset


def test_the_hash_sees_the_pictures_only(good, tmp_path, tools):
    original = good / "Videos" / "T.avi"
    renamed = shutil.copy(original, tmp_path / "other.avi")
    assert content_hash(renamed) == content_hash(original)
    assert content_hash(tools.remux(original, tmp_path / "other.mkv")) == content_hash(original)
    assert content_hash(good / "Videos" / "V.avi") != content_hash(original)


def test_one_changed_frame_or_a_shorter_copy_has_another_hash(good, tmp_path):
    frames = read_video(good / "Videos" / "T.avi")[0].copy()
    write_video(tmp_path / "a.avi", frames, 50)
    write_video(tmp_path / "b.avi", frames[:-1], 50)
    frames[20] = 255 - frames[20]
    write_video(tmp_path / "c.avi", frames, 50)
    assert len({content_hash(tmp_path / f"{name}.avi") for name in "abc"}) == 3


def with_rates(maker, tools, *rates):
    """Three videos of 50 frames a second under a table that says otherwise, or nothing."""
    told = zip("ABC", rates, strict=True)
    rows = [tools.row(name).replace(",50,40,", f",{rate},{count},") for name, (rate, count) in told]
    return maker(rows, "ABC")


def test_the_file_decides_rate_and_length_and_one_warning_names_both(maker, tools):
    root = with_rates(maker, tools, (25, 40), ("", ""), (50.5, 60))
    with pytest.warns(UserWarning) as caught:
        rows = EchoNetDynamic(root, "train", require_tracings=False, on_error="skip").rows
    assert [(row.fps, row.n_frames) for row in rows] == [(50, 40)] * 3
    said = [str(one.message) for one in caught if "FPS" in str(one.message)]
    assert len(said) == 1 and "A.avi: FPS is 25 in the table and 50 in the file (and 1 more videos)" in said[0]
    found = check_dataset(root).problems
    assert {problem.video for problem in found if problem.kind == "fps"} == {"A"}
    assert {problem.video for problem in found if problem.kind == "frames"} == {"C"}


def test_the_wrapper_takes_its_frame_rate_from_the_files(maker, tools):
    root = with_rates(maker, tools, (25, 40), (25, 40), (25, 40))
    data = EchoNetDynamic(root, "train", require_tracings=False)
    assert file_facts(data)[0] == 50 and EchoAdapter.of(data).video.fps == 50
    assert EchoAdapter.of(data, fps=30).video.fps == 30


def test_a_dataset_that_stops_at_the_first_bad_row_warns_once_when_such_a_file_is_read(maker, tools):
    root = with_rates(maker, tools, ("", ""), (25, 40), (25, 40))
    data = EchoNetDynamic(root, "train", require_tracings=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            [data[index] for index in range(3)]
    said = [str(one.message) for one in caught if "FPS" in str(one.message)]
    assert len(said) == 1 and "B.avi: FPS is 25 in the table and 50 in the file: the files are believed" in said[0]
