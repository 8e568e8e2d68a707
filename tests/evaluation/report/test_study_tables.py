"""Tables of what was declared before a run, of tuning, and of patients who change sides."""

import pytest
from fakes.report import level, whole

from echo_augment.evaluation.report.content import PrimaryAnswer, TunedValue, Tuning
from echo_augment.evaluation.report.study_tables import crossing_table, primary_row, range_table, tuning_table
from echo_augment.evaluation.report.verdict import EF_ERROR
from echo_augment.evaluation.statistics.results import Contrast


@pytest.fixture(scope="module")
def report():
    return whole([level(16, 1.0)])


def test_an_answer_says_where_it_was_found_and_is_no_stronger_than_its_corrected_p():
    cell = Contrast(diff=-1.5, ci=(-2.5, -0.5), p=0.02, detectable=1.2, p_holm=0.12, tests=6)
    one = PrimaryAnswer(
        number=7, question="Low EF?", pair="a+b-c", labelled=64, videos=30, test="B", high=40.0, contrast=cell
    )
    row = primary_row(one, 0.95, EF_ERROR)
    assert row[0] == "7. Low EF?"
    assert row[1] == "a+b against c, 64 labels, EF below 40, on B (30 videos)"
    assert row[2:7] == ["-1.50", "-2.50 to -0.50", "0.020", "0.120", "1.20"]
    assert row[7].startswith("no difference shown")


def test_a_grid_is_shown_with_what_each_value_brought():
    values = tuple(TunedValue(value=name, figure=mae, per_seed=(mae,)) for name, mae in (("0.25", 8.0), ("0.5", 7.5)))
    one = Tuning(
        arm="synthetic",
        key="p",
        also=("mixup.p",),
        values=values,
        chosen="0.5",
        setting=0.5,
        labelled=16,
        seeds=(0,),
        videos=240,
        data="x",
        taken_from="runs/ef-16",
    )
    assert tuning_table([one], EF_ERROR).rows == [
        ["synthetic.p (and mixup.p)", "0.25: 8.00, 0.5: 7.50", "0.5", "16 labels, 1 seeds, 240 TEST videos; by ef-16"]
    ]


def test_patients_who_change_sides_are_counted_with_their_share(report):
    rows = crossing_table(report).rows
    assert len(rows) == 2 * len(report.contrasts)
    one = report.crossings[0]
    assert rows[0][:3] == ["classical against real", "50", "80"]
    assert rows[0][3] == f"{one.righted:.1f} ({100 * one.righted / 80:.1f} %)"
    assert rows[0][5].count("to") == 1


def test_errors_by_range_have_intervals_and_biases(report):
    table = range_table(report)
    assert "EF below 40" in table.header[1]
    assert all("bias" in cell and " to " in cell for row in table.rows for cell in row[2:3])
