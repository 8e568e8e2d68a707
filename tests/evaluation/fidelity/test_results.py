"""The fidelity report's JSON: the published keys, and nothing for what was not asked for."""

from types import SimpleNamespace

import numpy as np
import pytest
from fakes.fidelity import CURVE, adherence_of

from echo_augment.evaluation.fidelity.beats import RateError, TracedVideo, phase_errors
from echo_augment.evaluation.fidelity.distances import FrechetDistances, Overlap
from echo_augment.evaluation.fidelity.results import (
    DETAILED,
    ROWS,
    FidelityReport,
    RowFigures,
    label_figures,
    row_figures,
)
from echo_augment.training_recipes.judging.reader import ReaderQuality, ReaderTraining


@pytest.fixture
def pairs():
    ef = np.linspace(30, 70, 8)
    return SimpleNamespace(ef_motion=ef, ef_appearance=ef % 7, ef_pair=ef - 1, size_ratio=np.linspace(0.5, 2, 8))


@pytest.fixture
def told(pairs):
    training = ReaderTraining(clips=8, steps=2, num_frames=16, fps=12.5, image_size=112, seed=0)
    return {
        "reader": ReaderQuality(r2=0.9, mae=2.0, training=training, hash="f"),
        "pairs": 8,
        "rows": {row: RowFigures(adherence=adherence_of(0.5), likeness=None) for row in ROWS},
        "reid_nearest": 1.0,
        "travel": 0.25,
        "seconds_per_clip": 0.5,
        "sampler": "ddim-0",
        "label": label_figures(dict.fromkeys(DETAILED, pairs.ef_motion + 2), pairs),
        "heart_rate": {"generated": RateError(mae=1.0, bias=0.0, within_10=1.0)},
        "phase": {"phantoms": phase_errors([(1.0, 2.0)] * 4)},
        "frechet": FrechetDistances(distances={"real": 1.0}, extractor="reader"),
        "fingerprint": "f",
        "seed": 3,
    }


def test_what_was_not_asked_for_has_no_key(told):
    found = FidelityReport(**told).to_json()
    assert not {"masks", "coverage", "curve", "fewest_steps", "strength"} & set(found)
    assert found["seeds"] == [3] and found["frechet"] == {"real": 1.0, "extractor": "reader"}
    assert found["reader"]["rate"] == 12.5 and found["reader"]["frames"] == 16
    assert "videos" not in found["phase"]["phantoms"] and "psnr" not in found["rows"]["counterfactual"]


def test_what_was_asked_for_is_there_flat(told):
    videos = [TracedVideo(name="X", ed=1.0, es=2.0)]
    told["phase"]["traced"] = phase_errors([(1.0, 2.0)], videos)
    overlap = {"still": Overlap(dice=0.5, dice_ed=0.6, dice_es=0.4)}
    found = FidelityReport(**told, masks=overlap, curve=CURVE).to_json()
    assert found["masks"]["still"]["dice_es"] == 0.4 and found["fewest_steps"] == 4
    assert found["curve"][0] == {"steps": 1, "r2": 0.4, "mae": 5.0, "r": 0.9, "bias": 0.0, "motion_weight": 1.0,
                                 "appearance_weight": 0.0, "psnr": 21.0, "ssim": 0.6, "frechet": 1.0,
                                 "seconds": 0.05}  # fmt: skip
    assert found["phase"]["traced"]["videos"] == [{"name": "X", "ed": 1.0, "es": 2.0}]


def test_transport_is_the_donor_s_ef_against_the_counterfactual_s(pairs):
    label = label_figures(dict.fromkeys(DETAILED, pairs.ef_motion + 2), pairs)
    assert label.transport.mae == label.transport.bias == pytest.approx(1)
    assert all(part.bias == pytest.approx(2) for parts in label.by_ef.values() for part in parts)


def test_only_the_counterfactuals_have_no_likeness_to_themselves(pairs):
    clips = {row: np.random.default_rng(0).integers(0, 255, (8, 2, 8, 8)).astype(np.uint8) for row in ROWS}
    found = row_figures(clips, dict.fromkeys(ROWS, pairs.ef_motion), pairs)
    assert [row for row in ROWS if found[row].likeness is None] == ["counterfactual"]
    assert found["codec"].likeness.ssim == pytest.approx(1) and found["own"].adherence.r2 == 1
