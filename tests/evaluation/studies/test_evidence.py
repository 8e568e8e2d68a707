"""The settled question: yes, no and "not shown" from made-up reports, and the document that tells them."""

import json

import pytest
from fakes.report import masks_report, simulated, whole

from echo_augment.evaluation.report.pages import markdown
from echo_augment.evaluation.studies import evidence_page
from echo_augment.evaluation.studies.evidence import ACCEPTANCE, ask, level_of, what_limits
from echo_augment.evaluation.studies.evidence_page import document, joined, sentence, summary, write

GOOD = {"real": 0.0, "classical": -0.5, "pseudo_label": -0.8, "synthetic": -2.5, "synthetic+pseudo_label": -3.0}
GOOD |= {"oracle": -3.0, "synthetic+classical": -2.6}
BAD = {name: -shift if "synthetic" in name else shift for name, shift in GOOD.items()}
SAME = dict.fromkeys(GOOD, 0.0) | {"oracle": -3.0}


def ef(few: dict, more: dict, train: int = 570) -> dict:
    return whole([simulated(16, 1.0, few, train)[2], simulated(64, 1.0, more, train)[2]], train=train)


def alone(labels: int, shifts: dict) -> dict:
    return whole([simulated(labels, 1.0, shifts, 570)[2]], train=570)


def answers(ef_report, masks) -> list[str]:
    return [one.answer for one in ask(ef_report, masks)[:ACCEPTANCE]]


def test_where_all_is_reached_every_answer_is_yes():
    found = ask(ef(GOOD, GOOD), masks_report(0.03))
    assert len(found) > ACCEPTANCE and {one.answer for one in found} == {"yes"}
    assert summary(found).startswith(f"All {ACCEPTANCE} questions")
    assert "not tried" in summary(found)


def test_where_it_harms_every_answer_is_no():
    found = ask(ef(BAD, BAD, train=400), masks_report(-0.03))
    assert [one.answer for one in found[:ACCEPTANCE]] == ["no"] * ACCEPTANCE
    assert summary(found).startswith(f"Of the {ACCEPTANCE} questions of the acceptance: {ACCEPTANCE} no.")


def test_where_nothing_differs_nothing_is_shown_and_the_detectable_difference_is_told():
    found = ask(ef(SAME, SAME), masks_report(0.0))
    assert [one.answer for one in found[:ACCEPTANCE]] == [
        "yes", "not shown", "no", "not shown", "not shown", "not shown", "not shown"
    ]  # fmt: skip
    assert "would have been found with 80 % power" in sentence(found[1])
    assert "would have been found" not in sentence(found[0])


def test_harm_is_judged_by_the_end_of_the_interval():
    report = ef(GOOD, SAME)
    cell = report["fractions"][1]["contrasts"]["synthetic-real"]["mae"]
    for low, high, answer in (
        (-0.5, 0.29, "yes"), (-0.5, 0.31, "not shown"), (0.1, 0.29, "yes"), (0.1, 0.4, "not shown"), (0.3, 0.9, "no")
    ):  # fmt: skip
        cell["ci"] = (low, high)
        assert ask(report, None)[4].answer == answer


def test_a_small_p_that_holm_takes_away_is_not_shown():
    report = ef(GOOD, GOOD)
    report["fractions"][0]["contrasts"]["synthetic-classical"]["mae"]["p_holm"] = 0.06
    assert ask(report, None)[1].answer == "not shown"


def test_the_share_of_the_oracle_s_gain_is_told_with_its_interval():
    report = ef(GOOD, GOOD)
    gain = ask(report, None)[2]
    assert gain.value == pytest.approx(5 / 6, abs=0.15)
    assert gain.ci[0] < gain.value < gain.ci[1]
    report["fractions"][0]["gains"]["real"] |= {"gain": 0.55, "ci": (0.3, 0.8)}
    assert "below and above a half" in sentence(ask(report, None)[2])
    report["fractions"][0]["gains"]["real"] = {"gain": 0.9, "ci": None, "reason": "it is not sure"}
    assert ask(report, None)[2].answer == "not shown"


def test_what_was_not_run_is_not_measured():
    assert answers(None, None) == ["not measured"] * ACCEPTANCE
    only = whole([simulated(16, 1.0, GOOD)[2]], train=570)
    assert answers(only, None)[4:] == ["not measured"] * 3
    assert level_of(only, 16) is not None and level_of(only, 64) is None
    few = {name: shift for name, shift in GOOD.items() if name in ("real", "synthetic")}
    assert answers(ef(few, few), None)[1:4] == ["not measured"] * 3


def test_what_limits_follows_from_the_oracle():
    assert "in the generator's clips" in " ".join(what_limits(ef(SAME, SAME)))
    equal = {**GOOD, "synthetic": -3.0}
    assert "could not be shown" in " ".join(what_limits(ef(equal, equal)))
    none = {**GOOD, "oracle": 0.5, "synthetic": 0.5}
    assert "no room" in " ".join(what_limits(ef(none, none)))
    assert "cannot be told" in what_limits(None)[0]


def test_the_document_has_answers_arms_configuration_and_limits(tmp_path):
    runs, docs = tmp_path / "runs", tmp_path / "docs"
    docs.mkdir()
    (docs / "evidence-phantom-first.md").touch()
    few, more = alone(16, GOOD), alone(64, {name: SAME[name] for name in ("real", "classical", "synthetic")})
    for name, report in (("ef", few), ("harm", more), ("segmentation", masks_report(0.03))):
        (runs / name).mkdir(parents=True)
        (runs / name / "report.json").write_text(json.dumps(report))
    text = write(runs, docs).read_text()
    for words in ("## EF, 16 labelled hearts", "## EF, 64 labelled hearts", "## LV segmentation, 16 labelled hearts"):
        assert words in text
    for words in ("| synthetic against classical |", "single seeds", "make evidence", "fingerprint abc", "400 steps"):
        assert words in text
    assert "60 trainings of 60 minutes in all" in text and "2 cores" in text
    assert "```yaml\ndata:\n  root: /data/phantoms of ours" in text
    assert "nothing here was run on real hearts" in text
    kept = json.loads((docs / "evidence-phantom.json").read_text())
    found = [one["answer"] for one in kept["acceptance"]]
    assert found == ["yes"] * 4 + ["not shown"] * 2 + ["yes"], "few labels from one report, harm from the other, masks"
    assert set(kept["reports"]) == {"ef", "harm", "segmentation"}
    assert "[evidence-phantom-first.md](evidence-phantom-first.md)" in text


def test_both_benchmarks_of_ef_are_one_family_of_tests():
    few, more = alone(16, GOOD), alone(64, {name: GOOD[name] for name in ("real", "classical", "synthetic")})
    both = joined(few, more)
    cells = [level_of(both, labels)["contrasts"]["synthetic-classical"]["mae"] for labels in (16, 64)]
    assert [cell["tests"] for cell in cells] == [2, 2]
    assert max(cell["p_holm"] for cell in cells) == max(cell["p"] for cell in cells)
    assert min(cell["p_holm"] for cell in cells) == pytest.approx(
        min(2 * min(cell["p"] for cell in cells), cells[1]["p_holm"])
    )
    assert level_of(both, 16)["contrasts"]["oracle-real"]["mae"]["tests"] == 1
    assert few["contrasts"]["synthetic-classical"]["mae"].get("tests") != 2, "the reports stay as they are"
    assert answers(both, None)[4:6] == ["yes", "yes"]
    assert joined(few, None) is few and joined(None, more) is more


def test_one_report_alone_and_none(tmp_path, capsys):
    assert "Not measured" in markdown(document({"segmentation": masks_report(0.03)}))
    assert evidence_page.main([str(tmp_path), str(tmp_path)]) == 1
    assert "make evidence" in capsys.readouterr().err
    assert evidence_page.main([]) == 2
