"""The leak guard: a held-out heart is found by split, by name, and by content under another name or in another file."""

import shutil

import pytest

from echo_augment.augmentor.data import find_leaks, read_table, read_video, refuse_leaks, write_video
from echo_augment.cache.errors import EchoAugmentError


def test_clean_splits_have_no_leaks(good):
    table = read_table(good)
    held_out = [row for row in table.rows if row.split != "TRAIN"]
    assert find_leaks(table.split("train"), held_out) == []
    refuse_leaks(table.split("train"), held_out)


@pytest.mark.parametrize("split", ["VAL", "test", "8", "9"])
def test_a_donor_of_a_held_out_split_is_refused_whatever_is_held_out(maker, tools, split):
    table = read_table(maker([tools.row("A"), tools.row("B", split)], ["A", "B"]))
    with pytest.raises(EchoAugmentError, match=r"1 held-out videos are among the donors: B is in a held-out split"):
        refuse_leaks(table.rows, [])


def test_folds_in_use_may_differ_from_the_default(maker, tools):
    table = read_table(maker([tools.row("A", 0), tools.row("B", 9)], ["A", "B"]))
    donors, held_out = table.split(9), table.split(0)
    assert find_leaks(donors, held_out, held_out_splits=()) == []
    assert [leak.reason for leak in find_leaks(table.rows, held_out, held_out_splits=())] == ["name"]


@pytest.mark.parametrize("name", ["copy.avi", "copy.mkv"])
def test_a_copy_under_another_name_is_refused(maker, tools, name):
    root = maker([tools.row("A"), tools.row("B"), tools.row("T", "TEST")], ["A", "B", "T"])
    copy = shutil.copy if name.endswith(".avi") else tools.remux
    copy(root / "Videos" / "T.avi", root / "Videos" / name)
    with (root / "FileList.csv").open("a") as file:
        file.write(tools.row(name) + "\n")
    table = read_table(root)
    leaks = find_leaks(table.split("train"), table.split("test"))
    assert [(leak.donor, leak.held_out, leak.reason) for leak in leaks] == [("copy", "T", "content")]
    with pytest.raises(EchoAugmentError, match="copy shows the same video as held-out T"):
        refuse_leaks(table.split("train"), table.split("test"))


def test_videos_that_only_begin_alike_are_no_leak(maker, tools):
    root = maker([tools.row("A"), tools.row("T", "TEST")], ["A", "T"])
    frames = read_video(root / "Videos" / "T.avi")[0].copy()
    write_video(root / "Videos" / "T.avi", frames, 50)
    frames[1:] = 255 - frames[1:]
    write_video(root / "Videos" / "A.avi", frames, 50)
    table = read_table(root)
    assert find_leaks(table.split("train"), table.split("test")) == []


def test_a_broken_video_cannot_be_cleared(maker, tools):
    root = maker([tools.row("A"), tools.row("T", "TEST")], ["A", "T"])
    (root / "Videos" / "A.avi").write_bytes(b"")
    table = read_table(root)
    with pytest.raises(EchoAugmentError, match=r"A\.avi: is empty"):
        refuse_leaks(table.split("train"), table.split("test"))
