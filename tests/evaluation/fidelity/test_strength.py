"""Weaker and stronger motion: codes move about the ED frame's, labels are calibrated on other clips than they judge."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.motion import amplify
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.fidelity import strength
from echo_augment.evaluation.fidelity.strength import calibration, check_amplitude, strengths
from echo_augment.training_recipes.judging.sampling import Sampling


def test_an_amplified_code_keeps_the_ed_frame_s():
    codes, rest = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([1.0, 2.0])
    assert torch.equal(amplify(codes, rest, 0.5), torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    assert torch.equal(amplify(codes, rest, 1.0), codes)


def test_a_label_is_fitted_on_half_and_judged_on_the_others():
    ef = np.linspace(20, 80, 40)
    found = calibration(10 + 0.7 * ef, ef)
    assert (found.slope, found.intercept) == (pytest.approx(0.7), pytest.approx(10))
    assert found.label_r2 == pytest.approx(1) and found.label_mae == pytest.approx(0, abs=1e-9)
    read = ef.copy()
    read[1::2] += 5  # those that judge, alone
    assert calibration(read, ef).label_mae == pytest.approx(5) and calibration(read, ef).slope == pytest.approx(1)


def test_every_strength_is_generated_and_read(monkeypatch):
    ef, calls = np.linspace(30, 70, 10), []
    codes = [torch.full((4, 1), float(value)) for value in ef]
    pairs = SimpleNamespace(
        codes=codes, rests=[torch.zeros(1)] * 10, references=None, ef_motion=ef, ef_appearance=ef[::-1] % 7
    )

    def generate(pipeline, references, codes, sampling):
        calls.append((sampling.steps, sampling.guidance))
        return SimpleNamespace(clips=np.array([float(code[0]) for code in codes]))

    monkeypatch.setattr(strength, "generate", generate)
    reader = SimpleNamespace(read=lambda clips: clips)
    sampling = Sampling(steps=0, sampler="ddim", seed=3)
    half, one, guided = strengths(None, reader, pairs, [0.5, 1], [1.5], sampling)
    assert calls == [(0, 1.0), (0, 1.0), (1, 1.5)]
    assert half.calibration.slope == pytest.approx(0.5) and half.mean == pytest.approx(25)
    assert half.calibration.label_r2 > 0.999 and half.adherence.r2 < 0
    assert one.adherence.r2 == pytest.approx(1) and (guided.what, guided.factor, guided.steps) == ("guidance", 1.5, 1)
    assert half.to_json()["slope"] == half.calibration.slope and half.to_json()["mae"] == half.adherence.mae


def test_a_generator_with_one_vector_a_clip_cannot_be_told_amplitudes():
    vector, frame = (SimpleNamespace(config={"code": code}) for code in ("vector", "mafe"))
    check_amplitude(frame, [0.5])
    check_amplitude(vector, [])
    with pytest.raises(EchoAugmentError, match=r"amplitude=\[0\.5\]: one motion vector"):
        check_amplitude(vector, [0.5])
