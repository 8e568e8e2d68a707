"""The ten answers of the protocol's run, over the reports of its parts."""

import json

import pytest
from fakes.report import answering as part
from fakes.report import level, whole

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.studies.protocol import PARTS, answers, read_parts, verdict, why

PAIR = "synthetic-real"


@pytest.fixture(scope="module")
def parts():
    found = {"ef-16": part(1, 2.5), "ef-64": part(2, 0.0), "masks": part(8, -0.03, task="segmentation")}
    return found | {"ef-16-small": part(1, 2.0)}


def test_ten_answers_are_corrected_as_one_family_whatever_their_part(parts):
    told = answers(parts)
    assert [one.number for one in told] == list(range(1, 11))
    assert {one.number: one.answer for one in told if one.answer != "not measured"} == {
        1: "yes",
        2: "not shown",
        8: "no",
    }
    cells = [one.asked.contrast for one in told if one.asked]
    assert [cell.tests for cell in cells] == [3, 3, 3], "the second net's answers are not of the family"
    assert all(cell.p_holm >= cell.p for cell in cells)
    assert told[0].again == parts["ef-16-small"].contrast(PAIR, "mae")
    assert told[1].again is None


def test_the_verdict_is_three_sentences_that_follow_from_the_answers(parts):
    helps, against, where = verdict(answers(parts), parts)
    assert helps == "Shown to help, of 10 questions asked before the run: 1 (synthetic against real)."
    assert against.startswith("Shown to do harm: 8 (synthetic against real); not shown: 2")
    assert "not measured: 3, 4, 5" in against
    assert "real patients were not tried" in where
    assert "none." in verdict(answers({"ef-64": parts["ef-64"]}), parts)[0]


def test_a_no_is_told_with_the_control_that_shows_why(parts):
    arms = {"real": 0.0, "classical_strong": -1.0, "oracle+classical_strong": -4.0}
    more = whole([level(16, 1.0, arms)])
    second = answers(parts)[1]
    [line] = why(second, {**parts, "ef-16-more": more})
    assert line.startswith("2: exact counterfactuals at 16 labels: -")
    assert line.endswith("smaller error")
    assert why(second, parts) == [], "a control that was not run says nothing"


def test_parts_are_read_from_their_folders(tmp_path, parts):
    with pytest.raises(EchoAugmentError, match=r"has no report\.json in ef-16"):
        read_parts(tmp_path)
    (tmp_path / "ef-16").mkdir()
    (tmp_path / "ef-16" / "report.json").write_text(json.dumps(parts["ef-16"].to_json()))
    assert read_parts(tmp_path)["ef-16"].primary == parts["ef-16"].primary
    assert len(set(PARTS.values())) == len(PARTS)
