"""Which videos a dataset holds, which it leaves out, and one clear error for each bad row."""

import shutil

import pytest

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.cache.errors import EchoAugmentError


def test_untraced_videos_are_left_out_as_in_echonet_and_kept_on_demand(maker, tools):
    root = maker(
        [tools.row("A"), tools.row("B")],
        ["A", "B"],
        tracings=tools.tracing_lines("A.avi", 5, 3) * 1 + tools.tracing_lines("A.avi", 9, 5),
    )
    data = EchoNetDynamic(root)
    assert data.fnames == ["A.avi"] and data.skipped == [("B", "fewer than two traced frames")]
    assert EchoNetDynamic(root, require_tracings=False).fnames == ["A.avi", "B.avi"]
    traced = EchoNetDynamic(root, require_tracings=False, target_type="LargeTrace")
    assert traced.fnames == ["A.avi"]


def test_without_tracings_ef_works_and_traces_do_not(maker):
    root = maker(videos=list("ABCDVT"))
    (root / "VolumeTracings.csv").unlink()
    assert len(EchoNetDynamic(root)) == 4
    with pytest.raises(EchoAugmentError, match=r"VolumeTracings\.csv: is not there"):
        EchoNetDynamic(root, target_type="LargeTrace")
    with pytest.raises(EchoAugmentError, match=r"VolumeTracings\.csv: is not there"):
        EchoNetDynamic(root, require_tracings=True)


def test_clinical_videos_lie_in_their_own_folder(maker, tools):
    root = maker([tools.row("A", "CLINICAL_TEST")], ["A"])
    (root / "ProcessedStrainStudyA4c").mkdir()
    shutil.copy(root / "Videos" / "A.avi", root / "ProcessedStrainStudyA4c" / "A.avi")
    clip, target = EchoNetDynamic(root, "clinical_test", length=4)[0]
    assert clip.shape == (3, 4, 24, 32) and target == 0


BAD_ROWS = {
    "NaN EF": (lambda row: row("B", ef="nan"), r"line 3: EF of B must be in \[0, 100\] percent, got nan"),
    "EF of 120": (lambda row: row("B", ef=120), r"EF of B must be in \[0, 100\] percent, got 120"),
    "missing video": (lambda row: row("gone"), r"gone\.avi is not there"),
    "leaving the folder": (lambda row: row("../../B"), r"FileName '\.\./\.\./B' leaves the dataset's folder"),
    "absolute": (lambda row: row("/etc/passwd"), r"FileName '/etc/passwd' leaves the dataset's folder"),
    "no split": (lambda row: row("B", ""), "Split is ''"),
    "twice": (lambda row: row("A", ef=12), "A is in lines 2 and 3 with different values"),
    "short row": (lambda row: "B,50", "line 3 has 2 fields, the header 9"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_an_error_or_a_recorded_skip(maker, tools, case):
    bad, message = BAD_ROWS[case]
    root = maker([tools.row("A"), bad(tools.row), tools.row("C")], "ABC")
    with pytest.raises(EchoAugmentError, match=message) as caught:
        EchoNetDynamic(root)
    assert caught.value.remedy and "FileList.csv" in str(caught.value)
    data = EchoNetDynamic(root, on_error="skip")
    assert "C.avi" in data.fnames and "B.avi" not in data.fnames and len(data.skipped) == 1
    assert len(data) == len(data.outcome) == len(data.fnames) and data[len(data) - 1][0].shape[0] == 3


def test_the_error_counts_the_other_problems(maker, tools):
    root = maker([tools.row("A", ef="nan"), tools.row("B", ef=-5), tools.row("gone")], "AB")
    with pytest.raises(EchoAugmentError, match=r"EF of A .*\(and 2 more: 1 x EF, 1 x missing\)"):
        EchoNetDynamic(root)


def test_only_what_is_asked_for_can_be_wrong(maker, tools):
    root = maker([tools.row("A", ef="nan"), tools.row("V", "VAL"), tools.row("T", "TEST", esv="x")], "AVT")
    assert len(EchoNetDynamic(root, "val")) == 1
    assert EchoNetDynamic(root, "train", "Filename")[0][1] == "A.avi"
    assert len(EchoNetDynamic(root, "test")) == 1
    with pytest.raises(EchoAugmentError, match="ESV of T"):
        EchoNetDynamic(root, "test", "ESV")


def broken_videos(root):
    whole = (root / "Videos" / "A.avi").read_bytes()
    (root / "Videos" / "B.avi").write_bytes(whole[: len(whole) // 2])
    (root / "Videos" / "C.avi").write_bytes(b"")
    (root / "Videos" / "D.avi").write_bytes(b"no video" * 1000)


def test_broken_videos_raise_when_read_or_are_skipped(maker):
    root = maker(videos=list("ABCDVT"))
    broken_videos(root)
    data = EchoNetDynamic(root)
    for index, message in ((1, "B.avi: is truncated"), (2, "C.avi: is empty"), (3, "D.avi: cannot be read as a video")):
        with pytest.raises(EchoAugmentError, match=message):
            data[index]
    data = EchoNetDynamic(root, on_error="skip")
    assert data.fnames == ["A.avi"] and [name for name, _ in data.skipped] == ["B", "C", "D"]


def test_a_bad_tracing_line_matters_only_for_traces(maker, tools):
    lines = tools.tracing_lines("A", 5, 3) + tools.tracing_lines("A", 9, 5) + ["A,1,2,3,four,9"]
    root = maker(
        [tools.row("A"), tools.row("B")],
        "AB",
        tracings=lines + tools.tracing_lines("B", 1, 2) + tools.tracing_lines("B", 2, 3),
    )
    assert len(EchoNetDynamic(root)) == 2
    with pytest.raises(EchoAugmentError, match="line 18 has no numbers"):
        EchoNetDynamic(root, target_type="LargeTrace")
    assert EchoNetDynamic(root, target_type="LargeTrace", on_error="skip").fnames == ["B.avi"]


@pytest.mark.parametrize("split", ["fold:1", "clinical_test", "nonsense", 3])
def test_an_empty_split(good, split):
    with pytest.raises(
        EchoAugmentError, match=r"no usable video in split .*there are: TEST \(1\), TRAIN \(4\), VAL \(1\)"
    ):
        EchoNetDynamic(good, split)


def test_nothing_left_names_the_reasons(maker):
    root = maker(videos=list("ABCDVT"))
    for path in (root / "Videos").iterdir():
        path.write_bytes(b"")
    with pytest.raises(EchoAugmentError, match=r"no usable video in split 'VAL' \(V: .*V\.avi: is empty"):
        EchoNetDynamic(root, "val", on_error="skip")


def test_many_rows_without_a_video_are_one_line_with_what_can_be_used(maker, tools):
    root = maker([tools.row("A"), tools.row("V", "VAL"), *(tools.row(f"gone{index}") for index in range(300))], "AV")
    message = r"300 rows name videos that are not in Videos \(gone0, gone1, \.{3}\); the other 2 can be used \(TRAIN"
    with pytest.raises(EchoAugmentError, match=message) as caught:
        EchoNetDynamic(root, "train")
    assert 'on_error="skip"' in caught.value.remedy
    assert len(EchoNetDynamic(root, "train", on_error="skip")) == 1
