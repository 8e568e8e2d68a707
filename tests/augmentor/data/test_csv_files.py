"""Names in a table never lead out of its folder, whatever they are."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.augmentor.data import read_table
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


def test_a_link_that_leaves_the_folder_is_refused_and_a_linked_folder_is_not(maker, tools, tmp_path):
    root = maker([tools.row("A"), tools.row("B")], ["A"])
    (tmp_path / "secret.avi").write_bytes(b"x")
    (root / "Videos" / "B.avi").symlink_to(tmp_path / "secret.avi")
    table = read_table(root)
    assert [row.name for row in table.rows] == ["A"] and [problem.kind for problem in table.problems] == ["name"]
    assert "is a link that leaves" in table.problems[0].message
    (root / "Videos").rename(tmp_path / "elsewhere")
    (root / "Videos").symlink_to(tmp_path / "elsewhere")
    assert [row.name for row in read_table(root).rows] == ["A"]
