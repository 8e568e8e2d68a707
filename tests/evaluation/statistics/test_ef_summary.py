"""From predictions to the figures of the report, and to the verdict."""

import numpy as np
import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.report.verdict import decide, gain_sentence, verdict
from echo_augment.evaluation.statistics.ef_summary import recovered_gain, summarise, tabulate


def report(effect: float, hearts: int = 60) -> dict:
    """Figures of arms where `synthetic` has an error larger than `real` by about ``effect``."""
    rng = np.random.default_rng(3)
    true = rng.normal(55, 12, hearts)
    size = 12 + rng.normal(0, 2, hearts)
    arms = {"real": 0.0, "synthetic": effect, "oracle": -3.0}
    found = {arm: true + size + shift + rng.normal(0, 1, (3, hearts)) for arm, shift in arms.items()}
    return {"level": 0.95, **summarise(true, found, resamples=499)}


@pytest.mark.parametrize(("effect", "answer"), [(-2.0, "helped"), (2.0, "harmed"), (0.0, "no difference")])
def test_the_verdict_is_ready_to_say_each_of_the_three(effect, answer):
    figures = report(effect)
    assert decide(figures["contrasts"]["synthetic-real"]["mae"]) == answer
    text = verdict(figures)
    words = {"helped": "helped: it lowered the error by", "harmed": "harmed: it raised the error by"}
    assert words.get(answer, "made no difference that could be shown") in text
    assert ("80 % power" in text) == (answer == "no difference")
    assert "95 % interval" in text


def test_the_sizes_in_the_verdict_are_positive_and_in_order():
    for effect in (-2.0, 2.0):
        figures = report(effect)
        low, high = sorted(abs(end) for end in figures["contrasts"]["synthetic-real"]["mae"]["ci"])
        assert f"{low:.2f} to {high:.2f}" in verdict(figures)


def test_without_an_interval_there_is_no_verdict_but_its_reason():
    text = verdict(report(-5.0, hearts=1))
    assert "cannot be said" in text
    assert "1 test heart" in text
    assert "helped:" not in text


def test_a_missing_arm_is_said():
    figures = report(0.0)
    assert "not trained" in verdict({**figures, "contrasts": {}})


def test_recovered_gain():
    assert recovered_gain({"real": 10, "synthetic": 9, "oracle": 8}) == pytest.approx(0.5)
    assert recovered_gain({"real": 10, "synthetic": 11, "oracle": 8}) == pytest.approx(-0.5)
    assert recovered_gain({"real": 10, "synthetic": 9, "oracle": 10}) is None
    assert recovered_gain({"real": 10, "synthetic": 9}) is None
    assert gain_sentence({"recovered_gain": None}) == ""
    assert "50 %" in gain_sentence({"recovered_gain": 0.5})
    sure = {"recovered_gain": 0.5, "level": 0.95, "gains": {"real": {"gain": 0.5, "ci": (0.2, 0.9)}}}
    assert "95 % interval 20 to 90 %" in gain_sentence(sure)
    unsure = {"recovered_gain": 0.5, "level": 0.95, "gains": {"real": {"ci": None, "reason": "it is not sure"}}}
    assert "no interval: it is not sure" in gain_sentence(unsure)


def test_the_report_s_keys():
    figures = report(-1.0)
    assert list(figures["arms"]) == ["real", "synthetic", "oracle"]
    for arm in figures["arms"].values():
        for name in ("mae", "rmse", "r2"):
            assert {"mean", "ci", "per_seed"} <= set(arm[name])
            assert len(arm[name]["per_seed"]) == 3
            assert np.mean(arm[name]["per_seed"]) == pytest.approx(arm[name]["mean"])
    assert list(figures["contrasts"]) == ["synthetic-real", "oracle-real", "synthetic-oracle"]
    mae = figures["contrasts"]["synthetic-real"]["mae"]
    assert {"diff", "ci", "p"} <= set(mae)
    arms = figures["arms"]
    assert mae["diff"] == pytest.approx(arms["synthetic"]["mae"]["mean"] - arms["real"]["mae"]["mean"])


def test_predictions_are_matched_by_heart_and_seed_not_by_order():
    one = {"a": [50.0, 51.0], "b": [60.0, 58.0]}
    two = {"b": [60.0, 61.0], "a": [50.0, 40.0]}
    names, true, found = tabulate({"real": {1: one, 0: two}, "oracle": {0: one, 1: two}})
    assert names == ["a", "b"]
    assert true.tolist() == [50, 60]
    assert found["real"].tolist() == [[40, 61], [51, 58]]
    assert found["oracle"].tolist() == [[51, 58], [40, 61]]


def test_arms_that_cannot_be_paired_are_refused():
    run = {"a": [50.0, 51.0]}
    with pytest.raises(EchoAugmentError, match="same seeds"):
        tabulate({"real": {0: run}, "oracle": {1: run}})
    with pytest.raises(EchoAugmentError, match="same hearts"):
        tabulate({"real": {0: run}, "oracle": {0: {"b": [1.0, 2.0]}}})
    with pytest.raises(EchoAugmentError, match="true EF"):
        tabulate({"real": {0: run}, "oracle": {0: {"a": [49.0, 51.0]}}})
