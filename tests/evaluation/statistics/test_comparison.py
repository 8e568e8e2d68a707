"""Pairing by video and seed, and Holm's correction."""

import numpy as np
import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.statistics.comparison import correct, holm, pairs_of, tabulate
from echo_augment.evaluation.statistics.results import Contrast, LevelFigures


def test_predictions_are_matched_by_video_and_seed_not_by_order():
    one = {"a": [50.0, 51.0], "b": [60.0, 58.0]}
    two = {"b": [60.0, 61.0], "a": [50.0, 40.0]}
    table = tabulate({"real": {1: one, 0: two}, "oracle": {0: one, 1: two}})
    assert table.videos == ["a", "b"]
    assert table.true.tolist() == [50, 60]
    assert table.predicted["real"].tolist() == [[40, 61], [51, 58]]
    assert table.predicted["oracle"].tolist() == [[51, 58], [40, 61]]


def test_arms_that_cannot_be_paired_are_refused():
    run = {"a": [50.0, 51.0]}
    with pytest.raises(EchoAugmentError, match="same seeds"):
        tabulate({"real": {0: run}, "oracle": {1: run}})
    with pytest.raises(EchoAugmentError, match="same videos"):
        tabulate({"real": {0: run}, "oracle": {0: {"b": [1.0, 2.0]}}})
    with pytest.raises(EchoAugmentError, match="true value"):
        tabulate({"real": {0: run}, "oracle": {0: {"a": [49.0, 51.0]}}})


def test_every_arm_is_compared_with_real_and_known_pairs_where_both_are_there():
    assert pairs_of(["real", "a", "b"], [("a", "b"), ("a", "c")]) == [("a", "real"), ("b", "real"), ("a", "b")]
    assert pairs_of(["a", "b"], []) == []


def test_holm_is_the_textbook_s():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_the_chance_of_any_false_alarm():
    rng = np.random.default_rng(7)
    plain = corrected = 0
    for _ in range(2000):
        p = rng.random(6).tolist()
        plain += min(p) < 0.05
        corrected += min(holm(p)) < 0.05
    assert plain / 2000 > 0.2
    assert corrected / 2000 <= 0.06


def level(p: float | None) -> LevelFigures:
    cell = Contrast(diff=1.0, ci=None if p is None else (0.0, 2.0), p=p, detectable=None)
    return LevelFigures(
        label_fraction=0.1,
        labelled=16,
        arms={},
        contrasts={"a-real": {"mae": cell}},
        recovered_gain=None,
        gains={},
    )


def test_the_correction_is_over_the_numbers_of_labels():
    before = [level(p) for p in (0.02, None, 0.04)]
    cells = [one.contrasts["a-real"]["mae"] for one in correct(before)]
    assert (cells[0].p, cells[0].p_holm, cells[0].tests) == (0.02, pytest.approx(0.04), 2)
    assert (cells[1].p, cells[1].p_holm, cells[1].tests) == (None, None, None)
    assert cells[2].p_holm == pytest.approx(0.04)
    assert before[0].contrasts["a-real"]["mae"].p_holm is None, "the levels stay as they are"
