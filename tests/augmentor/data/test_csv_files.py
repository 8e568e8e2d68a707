"""Names in a table never lead out of its folder, whatever they are."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.augmentor.data import EchoNetDynamic, csv_files, read_table, read_video
from echo_augment.augmentor.data.csv_files import inside, video_file_name, video_name
from echo_augment.cache.errors import EchoAugmentError


@pytest.mark.parametrize(
    ("text", "name", "file_name"),
    [
        ("0X1", "0X1", "0X1.avi"),
        ("0X1.avi", "0X1", "0X1.avi"),
        (" 0X1.AVI ", "0X1", "0X1.AVI"),
        ("x.mp4", "x", "x.mp4"),
        ("1.2.840.113", "1.2.840.113", "1.2.840.113.avi"),
    ],
)
def test_names_with_and_without_suffix(text, name, file_name):
    assert (video_name(text), video_file_name(text)) == (name, file_name)


EVIL = ["../A", "..", "a/../../b", "/etc/passwd", "C:\\x.avi", "\\\\host\\share", "..\\A", "", "   ", "a\0b"]


@pytest.mark.parametrize("name", EVIL)
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(EchoAugmentError, match=r"leaves the dataset's folder|is not a file name"):
        inside(tmp_path, name)


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(st.sampled_from("./\\aC:~ ")))
def test_no_name_ever_leads_out_of_the_folder(name):
    home = Path("/no/such/folder")
    try:
        path = inside(home, name)
    except EchoAugmentError:
        return
    assert os.path.realpath(path).startswith(os.path.realpath(home) + os.sep)


def test_links_that_the_folder_holds_are_followed_unless_forbidden(maker, tools, tmp_path):
    root = maker([tools.row("A"), tools.row("B"), tools.row("C")], ["A", "B"])
    videos = root / "Videos"
    (videos / "B.avi").rename(tmp_path / "annexed")
    (videos / "B.avi").symlink_to(tmp_path / "annexed")
    (videos / "C.avi").symlink_to(tmp_path / "dropped")
    table = read_table(root)
    assert [row.name for row in table.rows] == ["A", "B", "C"] and table.problems[0].kind == "untraced"
    assert read_video(table.rows[1].path)[0].shape == (40, 24, 32)
    with pytest.raises(EchoAugmentError, match=r"C\.avi: is a link to .*dropped, which is not there\. .*git annex get"):
        read_video(table.rows[2].path)
    closed = read_table(root, follow_links=False)
    assert [row.name for row in closed.rows] == ["A"] and {problem.kind for problem in closed.problems} == {"name"}
    assert "is a link that leaves" in closed.problems[0].message and "follow_links=True" in closed.problems[0].remedy
    with pytest.raises(EchoAugmentError, match="is a link that leaves"):
        EchoNetDynamic(root, "train", require_tracings=False, follow_links=False)
    assert len(EchoNetDynamic(root, "train", require_tracings=False, on_error="skip")) == 2


@pytest.mark.parametrize("linked", ["Videos", "Videos/part"])
def test_a_linked_folder_is_followed(maker, tools, tmp_path, linked):
    root = maker([tools.row("A"), tools.row("part/B")], ["A", "part/B"])
    (root / linked).rename(tmp_path / "elsewhere")
    (root / linked).symlink_to(tmp_path / "elsewhere")
    assert [row.name for row in read_table(root).rows] == ["A", "part/B"]


@pytest.mark.parametrize("there", ["A.AVI", "a.avi", "A.mp4", "A.Avi"])
def test_a_file_of_nearly_the_name_is_named(maker, tools, there):
    root = maker([tools.row("A.avi"), tools.row("B")], ["A", "B"])
    (root / "Videos" / "A.avi").rename(root / "Videos" / there)
    problem = read_table(root).problems[0]
    assert problem.kind == "missing" and problem.message.endswith(f"A.avi is not there, {there} is")
    assert problem.remedy.startswith(f"Write {there} into FileName")


def test_a_file_far_too_large_for_a_table_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "MOST_BYTES", 10)
    (tmp_path / "a.csv").write_text("FileName,EF\nA,50\n")
    with pytest.raises(EchoAugmentError, match=r"a\.csv: has 0 MB, too much for a table"):
        csv_files.read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("text", "number"), [("55", 55), (" 55,5 ", 55.5), ("-1.5%", -1.5), ("1e2", 100), ("55,5 %", 55.5), ("5.", 5)]
)
def test_numbers_as_tables_write_them(text, number):
    assert csv_files.to_number(text) == number


@pytest.mark.parametrize("text", ["", "1_0", "1.234,5", "abc", "5 5", "0x10", "1,2,3", "½"])
def test_what_is_no_number(text):
    assert csv_files.to_number(text) != csv_files.to_number(text)


def test_names_that_a_spreadsheet_made_numbers_of():
    assert [csv_files.without_zeros(name) for name in ("0017", "0X17", "000", "17")] == ["17", "0X17", "0", "17"]


def test_the_header_decides_what_separates(tmp_path):
    for separator in ",;\t":
        (tmp_path / "a.csv").write_text(separator.join(["FileName", "EF", "a b"]) + "\n" + separator.join("A5c") + "\n")
        assert csv_files.read_csv(tmp_path / "a.csv").rows == [(2, ["A", "5", "c"])]
