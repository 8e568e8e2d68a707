"""One frame rate of several that a file states; what contradicts is told."""

import math

import pytest

from echo_augment.augmentor.data.importers.frame_rate import FrameRate, choose_rate, from_times
from echo_augment.augmentor.data.importers.records import Left


def test_statements_that_agree_need_no_word():
    assert choose_rate({"a": 50.0, "b": 51.0}) == FrameRate(50.0)


def test_the_first_that_can_be_one_is_taken_and_the_others_are_told():
    stated = {"a": math.nan, "b": 1e6, "c": 0.0, "d": 40.0, "e": 30.0, "f": 41.0}
    assert choose_rate(stated) == FrameRate(40.0, ("d says 40 frames a second, e 30; fps= decides",))


def test_the_users_word_goes_first_and_stands_alone():
    assert choose_rate({"a": 30.0}, wanted=50) == FrameRate(50, ("fps says 50 frames a second, a 30",))
    assert choose_rate({}, wanted=24) == FrameRate(24)


@pytest.mark.parametrize("stated", [{}, {"a": math.nan}, {"a": 1.9, "b": 401.0, "c": math.inf}])
def test_no_statement_that_can_be_one(stated):
    with pytest.raises(Left) as found:
        choose_rate(stated)
    assert found.value.kind == "fps" and found.value.remedy == "Give fps=NUMBER"


def test_even_times_give_a_rate_without_a_word():
    assert from_times([0, 20, 20, 20], 4) == (50.0, ())


def test_uneven_times_give_their_mean_and_a_word():
    rate, notes = from_times([0, 20, 40, 20, 40], 5)
    assert rate == pytest.approx(1000 / 30) and notes == ("times between frames are uneven: 20 to 40 ms",)


@pytest.mark.parametrize("times", [[], [0], [0, 20, 20], [0, 20, 0, 20], [0, -20, 20, 20], [0, 20, math.inf, 20]])
def test_times_of_other_frames_are_not_believed(times):
    rate, notes = from_times(times, 4)
    assert math.isnan(rate) and notes == ("FrameTimeVector is not that of these frames",)
