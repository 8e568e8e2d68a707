"""The answer in words: each of the three, what would have been found, and shares of the oracle's gain."""

import re
from dataclasses import replace

import numpy as np
import pytest
from fakes.report import level, masks_level, whole

from echo_augment.evaluation.report.verdict import DICE, EF_ERROR, decide, fraction_words, gain_sentence, verdict
from echo_augment.evaluation.statistics.comparison import Precision, Table
from echo_augment.evaluation.statistics.ef_summary import summarise
from echo_augment.evaluation.statistics.results import Contrast, Gain


def figures(effect: float, videos: int = 60):
    """Figures of arms where `synthetic` has an error larger than `real` by about ``effect``."""
    rng = np.random.default_rng(3)
    true = rng.normal(55, 12, videos)
    size = 12 + rng.normal(0, 2, videos)
    arms = {"real": 0.0, "synthetic": effect, "oracle": -3.0}
    found = {arm: true + size + shift + rng.normal(0, 1, (3, videos)) for arm, shift in arms.items()}
    table = Table([f"v{k}" for k in range(videos)], true, found)
    return summarise(table, labelled=16, fraction=0.1, precision=Precision(resamples=499))


@pytest.mark.parametrize(("effect", "answer"), [(-2.0, "helped"), (2.0, "harmed"), (0.0, "no difference")])
def test_the_verdict_is_ready_to_say_each_of_the_three(effect, answer):
    found = figures(effect)
    assert decide(found.contrast("synthetic-real", "mae")) == answer
    text = verdict(found)
    words = {"helped": "helped: it lowered the error by", "harmed": "harmed: it raised the error by"}
    assert words.get(answer, "made no difference that could be shown") in text
    assert ("80 % power" in text) == (answer == "no difference")
    assert "95 % interval" in text


@pytest.mark.parametrize("effect", [-2.0, 2.0])
def test_the_sizes_in_the_verdict_are_positive_and_in_order(effect):
    found = figures(effect)
    low, high = sorted(abs(end) for end in found.contrast("synthetic-real", "mae").ci)
    assert f"{low:.2f} to {high:.2f}" in verdict(found)


def test_without_an_interval_there_is_no_verdict_but_its_reason():
    text = verdict(figures(-5.0, videos=1))
    assert "cannot be said" in text
    assert "1 test heart" in text
    assert "helped:" not in text


def test_a_missing_arm_is_said():
    assert "not trained" in verdict(replace(figures(0.0), contrasts={}))


@pytest.mark.parametrize(("shift", "words"), [(0.03, "helped"), (-0.03, "harmed"), (0.0, "no difference")])
def test_more_dice_is_better(shift, words):
    assert words in verdict(masks_level({"real": 0.0, "synthetic": shift}, 499), judged=DICE)


def test_a_p_that_holm_takes_away_is_no_difference():
    cell = Contrast(diff=-1.0, ci=(-2.0, -0.1), p=0.03, detectable=1.2)
    assert decide(cell) == "helped"
    assert decide(replace(cell, p_holm=0.06, tests=2)) == "no difference"
    assert decide(replace(cell, p_holm=0.06, tests=2), 0.9) == "helped"


def test_the_share_of_the_gain_is_told_with_its_interval_or_why_there_is_none():
    found = figures(0.0)
    assert gain_sentence(replace(found, recovered_gain=None)) == ""
    sure = replace(found, recovered_gain=0.5, gains={"real": Gain(gain=0.5, ci=(0.2, 0.9))})
    assert "50 %" in gain_sentence(sure) and "95 % interval 20 to 90 %" in gain_sentence(sure)
    unsure = replace(sure, gains={"real": Gain(gain=0.5, ci=None, reason="it is not sure")})
    assert "no interval: it is not sure" in gain_sentence(unsure)


def test_every_number_of_labels_has_its_answer():
    lines = fraction_words(whole([level(16, 1.0), level(64, 0.05)]))
    assert re.fullmatch(r"16 labelled videos: -1\.\d\d EF points \(-\d\.\d\d to -\d\.\d\d\): smaller error", lines[0])
    assert "64 labelled videos" in lines[1] and "no difference shown" in lines[1]


def test_the_answers_of_an_error_and_of_a_score_are_the_other_way_round():
    down = Contrast(diff=-0.02, ci=(-0.03, -0.01), p=0.001, detectable=0.01)
    assert (EF_ERROR.answer(down, 0.95), DICE.answer(down, 0.95)) == ("smaller error", "lower Dice")
    assert DICE.answer(replace(down, ci=(-0.03, 0.01)), 0.95) == "no difference shown; 0.010 would have been found"
    assert DICE.answer(replace(down, ci=None), 0.95) == "cannot be said"
