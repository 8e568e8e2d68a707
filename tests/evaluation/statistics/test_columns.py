"""One figure of all arms over a table, and patients who change sides."""

import numpy as np
import pytest

from echo_augment.evaluation.statistics.clinical import wrong_side
from echo_augment.evaluation.statistics.columns import column, crossings
from echo_augment.evaluation.statistics.comparison import Precision, Table
from echo_augment.evaluation.statistics.metrics import METRICS

RNG = np.random.default_rng(3)
TRUE = RNG.normal(50, 12, 60)
TABLE = Table(
    [f"v{k}" for k in range(60)],
    TRUE,
    {"new": TRUE + RNG.normal(0, 4, (6, 60)), "old": TRUE + RNG.normal(0, 9, (6, 60))},
    {"new": [0, 1, 2, 0, 1, 2]},
)


def test_a_column_has_the_figures_of_its_videos_alone():
    found = column(METRICS["mae"], TABLE, [("new", "old")], Precision(resamples=199), labelled=16)
    assert (found.labelled, found.videos) == (16, 60)
    assert found.arms["old"].mean == pytest.approx(np.abs(TABLE.predicted["old"] - TRUE).mean())
    assert found.contrasts["new-old"].ci[1] < 0
    low = TABLE.within(0, 40)
    few = column(METRICS["mae"], low, [("new", "old")], Precision(resamples=199), labelled=16)
    assert few.videos == int((TRUE < 40).sum())
    assert set(low.videos) == {name for name, ef in zip(TABLE.videos, TRUE, strict=True) if ef < 40}


def test_the_generators_of_a_pair_are_those_of_the_arm_that_has_clips():
    assert TABLE.groups_of("old") is None
    assert TABLE.groups_of("old", "new") == [0, 1, 2, 0, 1, 2]
    alone = Table(TABLE.videos, TABLE.true, TABLE.predicted)
    grouped, free = (
        column(METRICS["mae"], one, [("new", "old")], Precision(resamples=199), labelled=16) for one in (TABLE, alone)
    )
    assert grouped.contrasts["new-old"].ci != free.contrasts["new-old"].ci
    assert grouped.arms["old"].ci == free.arms["old"].ci


def test_righted_less_wronged_is_what_the_share_on_the_wrong_side_changes_by():
    for one in crossings(TABLE, [("new", "old")]):
        metric = wrong_side(one.cut)
        change = metric.value(TABLE.predicted["new"] - TRUE, TRUE[None]) - metric.value(
            TABLE.predicted["old"] - TRUE, TRUE[None]
        )
        assert one.wronged - one.righted == pytest.approx(60 * float(change))
        assert one.righted > one.wronged >= 0
