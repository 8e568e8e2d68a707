"""FileList.csv in all the forms real copies take, and one clear error for each thing that is wrong with it."""

import pytest

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.layouts.rows import typed_columns
from echo_augment.cache.errors import EchoAugmentError


def kinds(table, name):
    return [problem.kind for problem in table.problems if problem.video == name]


def test_a_good_table(good):
    table = read_table(good)
    assert table.problems == []
    assert [row.name for row in table.rows] == list("ABCDVT")
    first = table.rows[0]
    assert (first.ef, first.esv, first.edv, first.fps, first.n_frames) == (55.5, 44.5, 100, 50, 40)
    assert (first.split, first.fold, first.file_name, first.path) == ("TRAIN", None, "A.avi", good / "Videos" / "A.avi")
    assert list(table.tracings["A"]) == [30, 3]


# ---------------------------------------------------------------------------------------------------- names


def test_names_with_suffix_in_the_table(maker, tools):
    table = read_table(maker([tools.row("A.avi"), tools.row("B")]))
    assert [row.file_name for row in table.rows] == ["A.avi", "B.avi"] and table.problems == []


def test_bad_names_are_listed_with_their_line(maker, tools):
    table = read_table(maker([tools.row("A"), tools.row("../A"), tools.row("/abs")]))
    assert [problem.kind for problem in table.problems] == ["name", "name"]
    assert "FileList.csv: line 3: FileName '../A' leaves" in table.problems[0].message


# --------------------------------------------------------------------------------------------------- splits


def test_an_empty_split_says_what_there_is(good):
    with pytest.raises(EchoAugmentError, match=r"no usable video in split 'fold:3'; there are: .*TRAIN \(4\)"):
        read_table(good).split("fold:3")


# --------------------------------------------------------------------------------------------------- labels
@pytest.mark.parametrize("ef", ["nan", "", "abc", "-1", "100.5", "inf"])
def test_an_ef_that_is_none_is_listed_and_never_used(maker, tools, ef):
    table = read_table(maker([tools.row("A"), tools.row("B", ef=ef)], ["A", "B"]))
    assert kinds(table, "B") == ["EF"] and kinds(table, "A") == []
    assert table.rows[1].ef != table.rows[1].ef
    assert "EF of B must be in [0, 100] percent, got" in table.problems[0].message


@pytest.mark.parametrize("ef", ["0", "100", " 55.5 "])
def test_limits_of_the_ef_are_inside(maker, tools, ef):
    table = read_table(maker([tools.row("A", ef=ef)], ["A"]))
    assert table.problems == [] and table.rows[0].ef == float(ef)


def test_bad_volumes_and_unknown_counts(maker, tools):
    table = read_table(maker([tools.row("A", esv="nan", edv=-3, n="many")], ["A"]))
    assert kinds(table, "A") == ["ESV", "EDV", "facts"] and table.rows[0].n_frames == -1


def test_columns_are_numbers_where_all_their_fields_are():
    assert typed_columns([["1", "1.5", "a", "1"], ["2", "", "b", "x"]])[0] == [1, 1.5, "a", "1"]
    assert typed_columns([]) == []


# ----------------------------------------------------------------------------------- headers, rows, whole files
def test_other_headers(maker, tools):
    root = maker(["VAL,a note,55,A"], ["A"], header="split, Comment ,ejection fraction,file_name")
    table = read_table(root)
    assert (table.rows[0].name, table.rows[0].ef, table.rows[0].split) == ("A", 55, "VAL")
    assert table.header == ("Split", "Comment", "EF", "FileName") and table.problems == []


def test_a_byte_order_mark_blank_lines_and_quotes_do_no_harm(maker):
    root = maker(["", '"A",50,TRAIN,"one, two"', " , ,", ""], ["A"], header="FileName,EF,Split,Note")
    path = root / "FileList.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    table = read_table(root)
    assert [row.values for row in table.rows] == [("A", "50", "TRAIN", "one, two")] and table.problems == []


def test_a_row_with_too_few_fields(maker, tools):
    table = read_table(maker([tools.row("A"), "B,50"], ["A", "B"]))
    assert kinds(table, "B") == ["row"] and "line 3 has 2 fields, the header 9" in table.problems[0].message


def test_a_missing_video(maker, tools):
    table = read_table(maker([tools.row("A"), tools.row("gone")], ["A"]))
    assert kinds(table, "gone") == ["missing"] and [row.name for row in table.rows] == ["A"]


def test_the_same_row_twice_is_used_once(maker, tools):
    table = read_table(maker([tools.row("A"), tools.row("A")], ["A"]))
    assert kinds(table, "A") == ["duplicate"] and len(table.rows) == 1


def test_two_different_rows_of_a_video_are_both_refused(maker, tools):
    table = read_table(maker([tools.row("A", "TRAIN"), tools.row("A", "TEST"), tools.row("B")], ["A", "B"]))
    assert [row.name for row in table.rows] == ["B"]
    assert {problem.split for problem in table.problems} == {"TRAIN", "TEST"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "FileList.csv: is empty"),
        (b"\n \n", "FileList.csv: is empty"),
        (b"FileName,EF,Split\n", "FileList.csv: lists no videos"),
        (b"FileName,Split\nA,TRAIN\n", "has no column EF; its columns are FileName, Split"),
        (b"FileName|EF|Split\nA|50|TRAIN\n", "has no column FileName, EF; its columns are FileName.EF.Split"),
        (b"FileName,EF,EF\nA,50,50\nB,50,40\n", "has two columns EF; line 3 has '50' and '40'"),
        (b"FileName,EF,Split\nA,50,TRAIN\nM\xfcller,50,TRAIN\n", "line 3 is not UTF-8 .byte 0xfc."),
        ("FileName,EF,Split\nA,50,TRAIN\n".encode("utf-16"), "is not UTF-8"),
        ("FileName,EF,Split\nA,50,TRAIN\n".encode("utf-16-le"), "NUL"),
    ],
)
def test_a_file_list_that_cannot_be_used(maker, content, message):
    root = maker(videos=["A"])
    (root / "FileList.csv").write_bytes(content)
    with pytest.raises(EchoAugmentError, match=message) as caught:
        read_table(root)
    assert caught.value.remedy


def test_wrong_folders(tmp_path):
    with pytest.raises(EchoAugmentError, match="there is no such folder"):
        read_table(tmp_path / "nowhere")
    with pytest.raises(EchoAugmentError, match=r"has no FileList\.csv"):
        read_table(tmp_path)
    (tmp_path / "FileList.csv").write_text("FileName,EF,Split\n")
    with pytest.raises(EchoAugmentError, match="has no folder Videos"):
        read_table(tmp_path)


# ------------------------------------------------------------------------------------------------- tracings
def test_a_folder_without_tracings(maker):
    root = maker(videos=list("ABCDVT"))
    (root / "VolumeTracings.csv").unlink()
    table = read_table(root)
    assert not table.has_tracings and [problem.kind for problem in table.problems] == ["tracing"]


def test_videos_without_and_with_one_tracing(maker, tools):
    lines = tools.tracing_lines("A", 5, 3) + tools.tracing_lines("A", 9, 5) + tools.tracing_lines("B", 5, 3)
    table = read_table(maker([tools.row(name) for name in "ABC"], "ABC", tracings=lines))
    assert {problem.video for problem in table.problems if problem.kind == "untraced"} == {"B", "C"}


def test_bad_tracing_lines_are_listed_with_their_video(maker, tools):
    lines = [
        *tools.tracing_lines("A.avi", 5, 3),
        "A.avi,1,2,x,4,5",
        "A.avi,1,2,3,4,No Frame",
        "A.avi,1",
        "A.avi,1,2,3,4,-2",
    ]
    lines += tools.tracing_lines("A.avi", 99, 3)
    table = read_table(maker([tools.row("A")], ["A"], tracings=lines))
    messages = [problem.message for problem in table.problems if problem.kind == "tracing"]
    assert len(messages) == 5 and "line 10 has no numbers" in messages[0]
    assert "is traced in frame 99, it has 40 frames" in messages[-1]


def test_a_tracing_file_with_columns_that_mean_nothing(maker, tools):
    table = read_table(maker([tools.row("A")], ["A"], tracing_header="FileName,Left,Top,Frame", tracings=["A,1,2,3"]))
    assert not table.has_tracings and "has the columns FileName, Left, Top, Frame" in table.problems[0].message
