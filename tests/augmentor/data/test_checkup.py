"""A check-up finds every problem of a dataset at once, and states the facts of what can be used."""

import pytest

from echo_augment.augmentor.data.checkup import check_dataset


def test_a_good_folder_has_facts_and_no_problems(good):
    found = check_dataset(good)
    assert [problem.kind for problem in found.errors] == []
    facts = found.facts.to_json()
    assert facts["videos"] == 6 and facts["traced"] == 6
    assert facts["splits"] == {"TEST": 1, "TRAIN": 4, "VAL": 1}
    assert facts["ef"]["n"] == 6 and facts["ef"]["max"] == 62.25
    assert facts["frames"] == {"min": 40, "median": 40, "max": 40}
    assert facts["sizes"] == {"32x24": 6} and "folds" not in facts


def test_folds_are_counted(maker, tools):
    root = maker([tools.row("A", "0"), tools.row("B", "0"), tools.row("V", "9")])
    assert check_dataset(root).facts.folds == {"0": 2, "9": 1}


def test_every_problem_is_found_not_only_the_first(maker, tools):
    root = maker([tools.row("A", n=41), tools.row("B", ef=90), tools.row("gone"), tools.row("V", "VAL")], "ABCV")
    (root / "Videos" / "V.avi").write_bytes(b"")
    found = check_dataset(root)
    assert {problem.kind for problem in found.errors} == {"missing", "video"}
    assert {"frames", "volumes", "unlisted"} <= {problem.kind for problem in found.problems}
    assert found.facts.videos == 2


def test_a_leak_is_an_error(maker, tools):
    root = maker([tools.row("A"), tools.row("T", "TEST")], "AT")
    (root / "Videos" / "A.avi").write_bytes((root / "Videos" / "T.avi").read_bytes())
    assert [(problem.kind, problem.video) for problem in check_dataset(root).errors] == [("leak", "A")]


@pytest.mark.parametrize("lost", ["FileList.csv", "Videos"])
def test_a_folder_of_another_layout_has_no_facts(maker, lost):
    root = maker()
    (root / lost).rename(root / "elsewhere")
    found = check_dataset(root)
    assert [problem.kind for problem in found.problems] == ["folder"] and found.facts is None


def test_decoding_finds_what_opening_does_not(maker, tools):
    root = maker([tools.row("A")], "A")
    path = root / "Videos" / "A.avi"
    content = bytearray(path.read_bytes())
    start = content.rindex(b"00dc", 0, content.index(b"idx1"))
    content[start + 8 : start + 40] = bytes(32)  # the last frame's header, where no size shows it
    path.write_bytes(content)
    assert check_dataset(root).errors == []
    assert [problem.kind for problem in check_dataset(root, decode=True).errors] == ["video"]


def test_what_no_video_has_is_said_once(maker, tools):
    rows = [tools.row(name, esv="", edv="") for name in "AB"]
    found = check_dataset(maker(rows, "AB", tracings=[]))
    said = {problem.kind: problem.message for problem in found.problems if problem.kind != "short"}
    assert found.errors == [] and said.keys() == {"ESV", "EDV", "untraced"} and len(found.problems) == 5
    assert "FileList.csv: none of 2 videos has a usable EDV" in said["EDV"]
    assert "VolumeTracings.csv: none of 2 videos has two traced frames" in said["untraced"]
