"""The document of the settled question: answers, arms, configuration, limits."""

import json

import pytest
from fakes.report import level, masks_report, whole

from echo_augment.evaluation.report.content import BenchmarkReport
from echo_augment.evaluation.report.pages import markdown
from echo_augment.evaluation.studies import evidence_page
from echo_augment.evaluation.studies.evidence import ask, level_of
from echo_augment.evaluation.studies.evidence_page import document, joined, write

GOOD = {"real": 0.0, "classical": -0.5, "pseudo_label": -0.8, "synthetic": -2.5, "synthetic+pseudo_label": -3.0}
GOOD |= {"oracle": -3.0, "synthetic+classical": -2.6}
SAME = {"real": 0.0, "classical": 0.0, "synthetic": 0.0}


def alone(labels: int, shifts: dict) -> BenchmarkReport:
    return whole([level(labels, 1.0, shifts, 570)], train=570)


def test_the_document_has_answers_arms_configuration_and_limits(tmp_path):
    runs, docs = tmp_path / "runs", tmp_path / "docs"
    few, more = alone(16, GOOD), alone(64, SAME)
    for name, report in (("ef", few), ("harm", more), ("segmentation", masks_report(0.03))):
        (runs / name).mkdir(parents=True)
        (runs / name / "report.json").write_text(json.dumps(report.to_json()))
    text = write(runs, docs).read_text()
    for words in ("## EF, 16 labelled videos", "## EF, 64 labelled videos", "## LV segmentation, 16 labelled videos"):
        assert words in text
    for words in ("| synthetic against classical |", "single seeds", "make evidence", "fingerprint abc", "400 steps"):
        assert words in text
    assert "60 trainings of 60 minutes in all" in text and "2 cores" in text
    assert "```yaml\ndata:\n  root: /data/phantoms of ours" in text
    assert "nothing here was run on real patients" in text
    kept = json.loads((docs / "phantom.json").read_text())
    found = [one["answer"] for one in kept["acceptance"]]
    assert found == ["yes"] * 4 + ["not shown"] * 2 + ["yes"], "few labels from one report, harm from the other, masks"
    assert set(kept["reports"]) == {"ef", "harm", "segmentation"}
    assert "[history.md](history.md)" in text


def test_both_benchmarks_of_ef_are_one_family_of_tests():
    few, more = alone(16, GOOD), alone(64, {name: GOOD[name] for name in ("real", "classical", "synthetic")})
    both = joined(few, more)
    cells = [level_of(both, labels).contrast("synthetic-classical", "mae") for labels in (16, 64)]
    assert [cell.tests for cell in cells] == [2, 2]
    assert max(cell.p_holm for cell in cells) == max(cell.p for cell in cells)
    assert min(cell.p_holm for cell in cells) == pytest.approx(min(2 * min(cell.p for cell in cells), cells[1].p_holm))
    assert level_of(both, 16).contrast("oracle-real", "mae").tests == 1
    assert few.contrast("synthetic-classical", "mae").tests == 1, "the reports stay as they are"
    assert [one.answer for one in ask(both, None)[4:6]] == ["yes", "yes"]
    assert joined(few, None) is few and joined(None, more) is more


def test_one_report_alone_and_none(tmp_path, capsys):
    assert "Not measured" in markdown(document({"segmentation": masks_report(0.03)}))
    assert evidence_page.main([str(tmp_path), str(tmp_path)]) == 1
    assert "make evidence" in capsys.readouterr().err
    assert evidence_page.main([]) == 2
