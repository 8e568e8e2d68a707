"""Tables as public copies have them: each pattern reads rightly, or reader and doctor stop with row, value and remedy.

All bytes are made here after the patterns; none are of a real table.
"""

import numpy as np
import pytest

from echo_augment.augmentor.adapters import EchoAdapter
from echo_augment.augmentor.data import EchoNetDynamic, read_table
from echo_augment.augmentor.data.checkup import check_dataset
from echo_augment.cache.errors import EchoAugmentError

HEAD = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"
ROWS = ("A,55.5,44.5,100,24,32,50,40,TRAIN", "B,30,70,100,24,32,50,40,TRAIN", "V,60,40,100,24,32,50,40,VAL")


def write(maker, *lines, head=HEAD, end="\n", last="\n", encoding="utf-8", videos="ABV"):
    root = maker(videos=videos)
    (root / "FileList.csv").write_bytes((end.join([head, *lines]) + last).encode(encoding))
    return root


def efs(root, split="train", **options):
    data = EchoNetDynamic(root, split, length=4, require_tracings=False, **options)
    return {row.name: float(data[index][1]) for index, row in enumerate(data.rows)}


def errors(root):
    return [problem.kind for problem in check_dataset(root).errors]


def warned(root, kind):
    return [problem.message for problem in check_dataset(root).problems if problem.kind == kind]


def refused(root, message, remedy, split="train"):
    """The reader refuses with file, value and remedy; with ``on_error="skip"`` it goes on with the other rows."""
    with pytest.raises(EchoAugmentError, match=message) as caught:
        EchoNetDynamic(root, split, require_tracings=False)
    assert remedy in str(caught.value)


def renamed(changes):
    head = HEAD
    for old, new in changes.items():
        head = head.replace(old, new)
    return head


READS = {
    "CRLF": {"end": "\r\n", "last": "\r\n"},
    "carriage returns alone": {"end": "\r", "last": "\r"},
    "no newline at the end": {"last": ""},
    "byte order mark": {"encoding": "utf-8-sig"},
    "CRLF, mark and no newline": {"end": "\r\n", "last": "", "encoding": "utf-8-sig"},
    "other names": {"head": renamed({"FileName": "file_name", "EF": "ef", "Split": "split"})},
    "blanks in headers": {"head": " File Name , EF ,ESV,EDV ,FrameHeight,FrameWidth,FPS,Number Of Frames, Split "},
}


@pytest.mark.parametrize("pattern", READS)
def test_the_file_as_a_whole(maker, pattern):
    root = write(maker, *ROWS, **READS[pattern])
    assert efs(root) == {"A": 55.5, "B": 30} and efs(root, "val") == {"V": 60}
    assert errors(root) == [] and check_dataset(root).facts.videos == 3


def test_six_index_columns_in_front(maker):
    head = "Unnamed: 0.4,Unnamed: 0.3,Unnamed: 0.2,Unnamed: 0.1,Unnamed: 0,," + HEAD
    root = write(maker, *(f"{i},{i},{i},{i},{i},{i},{row}" for i, row in enumerate(ROWS)), head=head)
    assert efs(root) == {"A": 55.5, "B": 30} and errors(root) == []
    assert EchoNetDynamic(root, "train", "EDV", length=4, require_tracings=False)[0][1] == 100


def test_fields_past_the_end_of_the_header_that_are_empty(maker):
    root = write(maker, *(f"{row},,," for row in ROWS))
    assert efs(root) == {"A": 55.5, "B": 30} and errors(root) == []


def test_no_split_column(maker):
    root = write(maker, *(row.rsplit(",", 1)[0] for row in ROWS), head=HEAD.removesuffix(",Split"))
    assert efs(root, "all") == {"A": 55.5, "B": 30, "V": 60}
    for split in ("train", "val", "fold:1"):
        refused(root, rf"FileList\.csv: has no column Split, so there is no split '{split}'", 'split="all"', split)
    assert errors(root) == ["splits"] and 'split="all"' in check_dataset(root).errors[0].remedy


@pytest.mark.parametrize("word", ["VALID", "valid", " Validation ", "val"])
def test_words_for_val(maker, word):
    root = write(maker, *(row.replace("VAL", word) for row in ROWS))
    assert efs(root, "val") == {"V": 60} and errors(root) == []


def test_a_word_that_is_no_split_is_named(maker):
    root = write(maker, ROWS[0], ROWS[1].replace("TRAIN", "TRIAN"), ROWS[2])
    assert efs(root) == {"A": 55.5} and "1 rows have the split TRIAN" in warned(root, "word")[0]


def test_folds_0_to_9(maker):
    names = "ABCDEFGHIJ"
    root = write(
        maker, *(f"{name},{50 + i},{i}" for i, name in enumerate(names)), head="FileName,EF,Split", videos=names
    )
    assert list(efs(root)) == list("ABCDEFGH") and efs(root, "val") == {"I": 58} and efs(root, "test") == {"J": 59}
    assert efs(root, 3) == {"D": 53} and efs(root, "fold:8,9") == {"I": 58, "J": 59}
    assert errors(root) == [] and check_dataset(root).facts.folds["0"] == 1


def test_blanks_inside_values(maker):
    root = write(maker, *(row.replace(",", " , ") for row in ROWS), '" A.avi " , 1,1,1,1,1,1,1,TEST')
    assert errors(root) == ["duplicate", "duplicate"]  # A once as TRAIN, once as TEST
    root = write(maker, *(row.replace(",", "\u00a0, \t") for row in ROWS))
    assert efs(root) == {"A": 55.5, "B": 30} and efs(root, "val") == {"V": 60} and errors(root) == []


def test_text_in_a_numbers_place(maker):
    names = [f"N{i}" for i in range(9)]
    lines = [
        f"{name},{50 + i if i < 2 else chr(67) + 'ouldn' + chr(39) + 't calculate'},TRAIN"
        for i, name in enumerate(names)
    ]
    root = write(maker, *lines, head="FileName,EF,Split", videos=names)
    refused(root, r"line 4: EF of N2 must be in \[0, 100\] percent, got Couldn't calculate .*6 x EF", "on_error")
    assert efs(root, on_error="skip") == {"N0": 50, "N1": 51}
    assert errors(root) == ["EF"] * 7 and check_dataset(root).facts.ef["n"] == 2


def test_text_in_a_volumes_place_stops_the_volumes_only(maker):
    root = write(maker, ROWS[0], ROWS[1].replace("70,100", "Couldn't calculate,100"), ROWS[2])
    assert efs(root) == {"A": 55.5, "B": 30} and errors(root) == []
    assert "line 3: ESV of B must be 0 or more mL, got Couldn't calculate" in warned(root, "ESV")[0]
    with pytest.raises(EchoAugmentError, match="ESV of B"):
        EchoNetDynamic(root, "train", "ESV", require_tracings=False)


def test_a_rate_or_length_that_is_no_number(maker):
    root = write(maker, ROWS[0].replace("50,40", "fifty,4.5"), ROWS[1], ROWS[2])
    assert len(warned(root, "facts")) == 2 and errors(root) == []
    row = read_table(root).rows[0]
    assert np.isnan(row.fps) and row.n_frames == -1


@pytest.mark.parametrize(("scale", "unit"), [(0.01, "fraction"), (100, "hundredths")])
def test_units_of_ef(maker, scale, unit):
    root = write(
        maker, *(f"{name},{scale * ef},TRAIN" for name, ef in (("A", 55), ("B", 30))), head="FileName,EF,Split"
    )
    refused(root, "column EF ranges from .* which is not EF in percent", f'ef_unit="{unit}"')
    assert errors(root) == ["folder"]
    assert efs(root, ef_unit=unit) == pytest.approx({"A": 55, "B": 30})


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_and_decimal_commas(maker, separator):
    lines = [separator.join(row.replace(".", ",", 1).split(",")) for row in ROWS[1:]]
    lines.append(separator.join(["A", "55,5", "44,5", "100,0", "24", "32", "50,0", "40", "TRAIN"]))
    root = write(maker, *lines, head=separator.join(HEAD.split(",")), encoding="utf-8-sig", end="\r\n")
    assert efs(root) == {"A": 55.5, "B": 30} and errors(root) == []
    data = EchoNetDynamic(root, "train", ["ESV", "FPS"], length=4, require_tracings=False)
    assert data[1][1] == (np.float32(44.5), np.float32(50)) and data.rows[1].fps == 50


def test_decimal_commas_between_commas(maker):
    root = write(maker, 'A,"55,5",TRAIN', 'B,"30,25 %",TRAIN', head="FileName,EF,Split")
    assert efs(root) == {"A": 55.5, "B": 30.25} and errors(root) == ["missing"][:0]
    root = write(maker, "A,55,5,TRAIN", "B,30,TRAIN", head="FileName,EF,Split")
    refused(root, r"line 2 has 4 fields, the header 3", "decimal comma")
    assert efs(root, on_error="skip") == {"B": 30} and errors(root) == ["row"]


def test_a_spreadsheets_word_for_its_separator(maker):
    root = write(maker, HEAD.replace(",", ";"), *(row.replace(",", ";") for row in ROWS), "x", head="sep=;")
    assert efs(root, on_error="skip") == {"A": 55.5, "B": 30}
    assert "line 6 has 1 fields" in check_dataset(root).errors[0].message


def test_one_file_three_times(maker):
    root = write(maker, *ROWS, ROWS[0], ROWS[0])
    refused(root, r"A is in lines 2, 5 and 6\. ", "Keep one row a video")
    assert efs(root, on_error="skip") == {"A": 55.5, "B": 30} and errors(root) == ["duplicate"]
    root = write(maker, *ROWS, ROWS[0], ROWS[0].replace("55.5", "12"))
    refused(root, "A is in lines 2, 5 and 6 with different values, so none of them is used", "Keep one row")
    assert efs(root, on_error="skip") == {"B": 30} and errors(root) == ["duplicate"]


def test_every_row_is_test(maker):
    root = write(maker, *(row.replace("TRAIN", "TEST").replace("VAL", "TEST") for row in ROWS))
    refused(root, r"no usable video in split 'train'; there are: TEST \(3\)", "Choose one of these")
    assert len(efs(root, "test")) == 3
    assert errors(root) == ["splits"] and "no usable row is in TRAIN; there are TEST (3)" in warned(root, "splits")[0]


def test_ids_with_lost_leading_zeros(maker):
    root = write(maker, *(row.replace("A,", "17,", 1) for row in ROWS), videos=["0017", "B", "V"])
    refused(root, r"line 2: .*17\.avi is not there, 0017\.avi is", "Write 0017.avi into FileName")
    assert efs(root, on_error="skip") == {"B": 30} and errors(root) == ["missing"]


def test_tracings_with_lost_leading_zeros(maker, tools):
    lines = tools.tracing_lines("17", 30, 4) + tools.tracing_lines("17", 3, 8)
    root = maker([ROWS[0].replace("A,", "0017,", 1)], ["0017"], tracings=lines)
    found = [problem for problem in check_dataset(root).problems if problem.kind == "unlisted"]
    assert "1 traced videos are in no row of FileList.csv: 17" in found[0].message and "lost zeros" in found[0].remedy
    with pytest.raises(EchoAugmentError, match="no usable video"):
        EchoNetDynamic(root, "train")


def test_frame_sizes_that_the_files_do_not_have(maker):
    root = write(maker, *(row.replace("24,32", "768,1024") for row in ROWS))
    assert efs(root) == {"A": 55.5, "B": 30} and errors(root) == []
    assert "A.avi: is 32x24, FrameWidth and FrameHeight say 1024x768" in warned(root, "size")[0]
    data = EchoNetDynamic(root, "train", length=4, require_tracings=False)
    assert data[0][0].shape == (3, 4, 24, 32) and EchoAdapter.of(data).video.size == (24, 32)


def test_a_video_that_is_traced_but_not_listed(maker):
    root = write(maker, *ROWS[:2], videos="ABV")
    data = EchoNetDynamic(root, "train", "LargeTrace", length=4)
    assert [row.name for row in data.rows] == ["A", "B"] and data[0][1].sum() > 0
    assert "1 traced videos are in no row of FileList.csv: V" in warned(root, "unlisted")[1] and errors(root) == []


def test_ten_thousand_rows_with_two_hundred_videos_are_counted(maker):
    there = [f"N{i:05d}" for i in range(200)]
    rows = [f"N{i:05d},55,TRAIN" for i in range(10_030)]
    root = write(maker, *rows, head="FileName,EF,Split", videos=["N00000"])
    one = (root / "Videos" / "N00000.avi").read_bytes()
    for name in there[1:]:
        (root / "Videos" / f"{name}.avi").write_bytes(one)
    refused(root, r"9830 rows name videos that are not in Videos .*; the other 200 can be used \(TRAIN 200\)", "Copy")
    assert len(efs_only(root)) == 200
    assert errors(root).count("missing") == 9830  # doctor prints them as one line, see its own test


def efs_only(root):
    return EchoNetDynamic(root, "train", length=4, require_tracings=False, on_error="skip").rows
