"""The report of a segmentation benchmark that nobody trained."""

import pytest
from fakes.report import masks_report, measured

from echo_augment.evaluation.report.segmentation_report import arm_table, write_segmentation_report
from echo_augment.evaluation.report.verdict import DICE, whole_verdict
from echo_augment.evaluation.statistics.segmentation_summary import ef_from_masks


@pytest.fixture(scope="module")
def report():
    return masks_report(0.02)


def test_the_page_shows_the_ef_of_masks_if_it_is_known(report, tmp_path):
    read = ef_from_masks({"real": measured(0.0), "synthetic": measured(0.02)})
    page = write_segmentation_report(tmp_path, report, read, None, {}).read_text()
    assert "Predicted against true EF, from masks" in page and page.count("data:image/png;base64,") == 3


def test_without_it_the_arms_alone_are_drawn(report, tmp_path):
    page = write_segmentation_report(tmp_path, report, None, None, {}).read_text()
    assert "from masks" not in page.split("What was run")[0].split("Every arm")[0]
    assert page.count("data:image/png;base64,") == 1


def test_every_arm_has_its_row(report):
    table = arm_table(report, report.level)
    assert [row[0] for row in table.rows] == ["real", "classical", "synthetic", "oracle"]
    assert all(len(row) == len(table.header) for row in table.rows)


def test_the_verdict_tells_the_share_of_the_oracle_s_gain(report):
    assert "It brought 50 % of what exact counterfactuals" in whole_verdict(report, report.level, DICE)
