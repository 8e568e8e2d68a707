"""What stands in the tables of an EF report."""

import math
import re
from dataclasses import replace

import pytest
from fakes.report import level, whole

from echo_augment.evaluation.report.content import Published
from echo_augment.evaluation.report.tables import contrast_table, fraction_table, number, p_words


@pytest.fixture(scope="module")
def report():
    row = Published(name="a paper | of ours", mae={"16": 6.04})
    return replace(whole([level(16, 1.0), level(64, 0.05)]), published=(row,))


def test_no_difference_stands_beside_what_would_have_been_found(report):
    table = contrast_table(report.fractions[1], report.level, several=True)
    row = next(row for row in table.rows if row[0] == "synthetic against real")
    assert re.fullmatch(r"no difference shown; \d+\.\d would have been found", row[-1])
    assert "p (Holm)" in table.header


def test_published_rows_stand_beside_ours_and_say_what_they_are_not(report):
    table = fraction_table(report)
    assert table.rows[-1] == ["published: a paper | of ours", "6.04", "–"]
    assert "not part of any test" in table.notes[0]
    assert "not the published table's data" in table.notes[1]


def test_what_is_undefined_is_a_dash():
    assert (number(None), number(math.nan), number(1.234)) == ("–", "–", "1.23")
    assert (p_words(None), p_words(0.0001), p_words(0.04)) == ("–", "< 0.001", "0.040")
