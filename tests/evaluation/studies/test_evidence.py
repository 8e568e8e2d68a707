"""The settled question: yes, no and "not shown" from made-up reports."""

from dataclasses import replace

import pytest
from fakes.report import level, masks_report, whole

from echo_augment.evaluation.report.content import BenchmarkReport
from echo_augment.evaluation.statistics.results import Contrast, Gain
from echo_augment.evaluation.studies.evidence import ACCEPTANCE, ask, level_of, what_limits
from echo_augment.evaluation.studies.evidence_page import sentence, summary

GOOD = {"real": 0.0, "classical": -0.5, "pseudo_label": -0.8, "synthetic": -2.5, "synthetic+pseudo_label": -3.0}
GOOD |= {"oracle": -3.0, "synthetic+classical": -2.6}
BAD = {name: -shift if "synthetic" in name else shift for name, shift in GOOD.items()}
SAME = dict.fromkeys(GOOD, 0.0) | {"oracle": -3.0}


def ef(few: dict, more: dict, train: int = 570) -> BenchmarkReport:
    return whole([level(16, 1.0, few, train), level(64, 1.0, more, train)], train=train)


def changed(report: BenchmarkReport, place: int, pair: str, **changes) -> BenchmarkReport:
    """The report with another contrast of MAE at one number of labels."""
    levels = list(report.fractions)
    cells = levels[place].contrasts[pair]
    cell: Contrast = replace(cells["mae"], **changes)
    levels[place] = replace(levels[place], contrasts={**levels[place].contrasts, pair: {**cells, "mae": cell}})
    return replace(report, fractions=tuple(levels))


def with_gain(report: BenchmarkReport, gain: Gain) -> BenchmarkReport:
    first, *rest = report.fractions
    return replace(report, fractions=(replace(first, gains={**first.gains, "real": gain}), *rest))


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


@pytest.mark.parametrize(
    ("ci", "answer"),
    [
        ((-0.5, 0.29), "yes"),
        ((-0.5, 0.31), "not shown"),
        ((0.1, 0.29), "yes"),
        ((0.1, 0.4), "not shown"),
        ((0.3, 0.9), "no"),
    ],
)
def test_harm_is_judged_by_the_end_of_the_interval(ci, answer):
    assert ask(changed(ef(GOOD, SAME), 1, "synthetic-real", ci=ci), None)[4].answer == answer


def test_a_small_p_that_holm_takes_away_is_not_shown():
    report = changed(ef(GOOD, GOOD), 0, "synthetic-classical", p_holm=0.06)
    assert ask(report, None)[1].answer == "not shown"


def test_the_share_of_the_oracle_s_gain_is_told_with_its_interval():
    gain = ask(ef(GOOD, GOOD), None)[2]
    assert gain.value == pytest.approx(5 / 6, abs=0.15)
    assert gain.ci[0] < gain.value < gain.ci[1]


def test_a_share_whose_interval_holds_a_half_says_so_and_one_without_is_not_shown():
    wide = ask(with_gain(ef(GOOD, GOOD), Gain(gain=0.55, ci=(0.3, 0.8))), None)[2]
    assert "below and above a half" in sentence(wide)
    unsure = Gain(gain=0.9, ci=None, reason="it is not sure")
    assert ask(with_gain(ef(GOOD, GOOD), unsure), None)[2].answer == "not shown"


def test_what_was_not_run_is_not_measured():
    assert answers(None, None) == ["not measured"] * ACCEPTANCE
    only = whole([level(16, 1.0, GOOD)], train=570)
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
