"""A line a measurement becomes a line a video; what contradicts itself is refused with both lines."""

from pathlib import Path

import pytest

from echo_augment.augmentor.data.csv_files import CsvFile
from echo_augment.augmentor.data.layouts.measurements import mean, one_line_a_video
from echo_augment.cache.errors import EchoAugmentError

HEADER = ("Unnamed: 0", "HashedFileName", "Calc", "CalcValue", "Frame", "split")


def table(*lines, header=HEADER):
    return CsvFile(Path("M.csv"), header, [(number, line.split(",")) for number, line in enumerate(lines, 2)])


def test_columns_of_the_measurement_and_of_the_video():
    wide = one_line_a_video(table("0,A,LVIDd,4,7,TRAIN", "0,B,IVSd,1,9,VAL"))
    assert wide.header == ("FileName", "Unnamed: 0", "split", "IVSd", "IVSdFrame", "LVIDd", "LVIDdFrame")
    assert wide.rows == [(2, ["A", "0", "TRAIN", "", "", "4", "7"]), (3, ["B", "0", "VAL", "1", "9", "", ""])]


@pytest.mark.parametrize(
    ("texts", "wanted"), [([], ""), (["4.5"], "4.5"), (["4", "5"], "4.5"), (["4,0", "x", "6"], "5"), (["x", "y"], "x")]
)
def test_a_video_that_was_measured_twice_has_the_mean(texts, wanted):
    assert mean(texts) == wanted


def test_two_splits_of_one_video_are_refused():
    with pytest.raises(EchoAugmentError, match=r"M\.csv: lines 2 and 3 are of A, but split is 'TRAIN' and 'TEST'"):
        one_line_a_video(table("0,A,LVIDd,4,7,TRAIN", "0,A,IVSd,1,9,TEST"))


def test_a_line_of_another_length_is_left_for_the_reader_to_name():
    assert one_line_a_video(table("0,A,LVIDd,4,7,TRAIN", "0,B,IVSd")).rows[1] == (3, ["0"])


def test_columns_that_are_not_there():
    with pytest.raises(EchoAugmentError, match=r"has no column Calc, CalcValue; its columns are HashedFileName, split"):
        one_line_a_video(table("A,TRAIN", header=("HashedFileName", "split")))
