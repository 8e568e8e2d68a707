"""The report of re-enactment: intervals over videos, and what the text says of what is missing."""

import numpy as np
import pytest

from echo_augment.augmentor.data import Skipped
from echo_augment.evaluation.fidelity.beats import RateError
from echo_augment.evaluation.fidelity.donor_pairs import PairFigures
from echo_augment.evaluation.fidelity.reenacted_report import Figure, ReenactedReport, estimates
from echo_augment.training_recipes.judging.reenactment import PER_VIDEO, Row


def row(count, **given):
    return Row(**{name: np.linspace(0, 1, count) for name in PER_VIDEO}, **{"frechet": 2.0, **given})


def report(count, **given):
    one = Figure(mean=0.5)
    rate = RateError(mae=3.0, bias=-1.0, within_10=0.5)
    found = {
        "videos": [f"v{i}" for i in range(count)],
        "split": "VAL",
        "phantoms": False,
        "trained": 2,
        "recorded": True,
        "skipped": [Skipped("bad", "broken")],
        "rows": {"still": estimates(row(count), 0), "steps-2": estimates(row(count, steps=2, seconds=0.3), 0)},
        "pairs": PairFigures(cycle=one, heart_rate=rate, reid_own=one, reid_others=one, reid_nearest=1.0),
        "masks": None,
        "fewest_steps": None,
        "sampler": "ddim-2",
        "extractor": "reader",
        "fingerprint": "0123",
        "seed": 0,
    }
    return ReenactedReport(**found | given)


def test_a_figure_has_an_interval_from_8_videos_on():
    few, enough = Figure.of(np.arange(7.0), 0), Figure.of(np.arange(8.0), 0)
    assert few.ci is None and str(few) == "3.00"
    assert enough.ci[0] < enough.mean == 3.5 < enough.ci[1] and str(enough).startswith("3.50 (")


def test_json_has_the_figures_under_their_names():
    found = report(9).to_json()
    assert found["reenactment"]["rows"]["steps-2"]["explained"]["mean"] == pytest.approx(0.5)
    assert found["reenactment"]["rows"]["steps-2"]["steps"] == 2 and found["data"] == "videos"
    assert found["skipped"] == [{"name": "bad", "reason": "broken"}] and found["reenactment"]["trained"] == 2


def test_the_text_says_what_was_left_out_and_what_is_not_known():
    text = report(3).text()
    assert "3 videos of split VAL; 2 that trained the generator and 1 that cannot be used are left out" in text
    assert "Below 8 videos there are no intervals" in text and "| MCDM, steps=2 | 0.50 |" in text
    assert "does not say which videos trained it" not in text and "Below 8" not in report(9).text()
    assert "does not say which videos trained it" in report(3, recorded=False).text()
    more = report(3, fewest_steps=2, masks={"codec": Figure(mean=0.9)}, phantoms=True).text()
    assert "train-generator: **2**" in more and "codec round trip 0.90" in more and "3 phantoms" in more
