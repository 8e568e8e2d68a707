"""A video's record with nothing but its name and path, and a problem as the error that it is."""

import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from echo_augment.augmentor.data.records import Problem, VideoInfo
from echo_augment.cache.errors import EchoAugmentError


@pytest.mark.parametrize(
    ("name", "path", "wanted"),
    [
        ("0X1A", "set/Videos/0X1A.avi", "0X1A.avi"),
        ("0X1.A2", "set/Videos/0X1.A2.avi", "0X1.A2.avi"),
        ("0X1A", "set/Videos/0X1A.MP4", "0X1A.MP4"),
        ("0X1A", "set/Videos/0X1A", "0X1A"),
    ],
)
def test_the_file_name_has_the_suffix_of_the_file(name, path, wanted):
    assert VideoInfo(name, Path(path)).file_name == wanted


def test_what_a_table_does_not_say_is_unknown():
    video = VideoInfo("A", Path("A.avi"))
    assert all(math.isnan(number) for number in (video.ef, video.esv, video.edv, video.fps))
    assert video.n_frames == -1 and video.fold is None and video.split == "TRAIN" and video.values == ()
    with pytest.raises(FrozenInstanceError):
        video.ef = 50.0


def test_a_problem_is_raised_with_its_remedy():
    error = Problem("missing", "A", "set/Videos/A.avi: is not there", "Copy it again").error()
    assert isinstance(error, EchoAugmentError) and error.remedy == "Copy it again"
    assert "set/Videos/A.avi: is not there" in str(error) and "Copy it again" in str(error)
