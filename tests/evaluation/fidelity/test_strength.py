"""Weaker and stronger motion: codes move about the ED frame's, labels are calibrated on other clips than they judge."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.motion import amplify
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.fidelity import strength
from echo_augment.evaluation.fidelity.pairs import draw_pairs, generate
from echo_augment.evaluation.fidelity.strength import calibration, check_strength, strength_text, strengths


def test_an_amplified_code_keeps_the_ed_frame_s():
    codes, rest = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([1.0, 2.0])
    assert torch.equal(amplify(codes, rest, 0.5), torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    assert torch.equal(amplify(codes, rest, 1.0), codes)


def test_a_label_is_fitted_on_half_and_judged_on_the_others():
    ef = np.linspace(20, 80, 40)
    found = calibration(10 + 0.7 * ef, ef)
    assert (found["slope"], found["intercept"]) == (pytest.approx(0.7), pytest.approx(10))
    assert found["label_r2"] == pytest.approx(1) and found["label_mae"] == pytest.approx(0, abs=1e-9)
    read = ef.copy()
    read[1::2] += 5  # those that judge, alone
    assert calibration(read, ef)["label_mae"] == pytest.approx(5) and calibration(read, ef)["slope"] == pytest.approx(1)


def test_every_strength_is_generated_and_read(monkeypatch):
    ef, calls = np.linspace(30, 70, 10), []
    codes = [torch.full((4, 1), float(value)) for value in ef]
    pairs = SimpleNamespace(
        codes=codes, rests=[torch.zeros(1)] * 10, references=np.zeros((10, 2, 2)), ef_motion=ef, ef_look=ef[::-1] % 7
    )

    def made(pipeline, references, codes, *, steps, sampler, seed, guidance=1.0):
        calls.append((steps, guidance))
        return np.array([float(code[0]) for code in codes]), None, 0.0

    monkeypatch.setattr(strength, "generate", made)
    monkeypatch.setattr(strength, "read_ef", lambda reader, clips: clips.double().numpy())
    sampling = {"steps": 0, "sampler": "ddim", "seed": 3}
    half, one, guided = strengths(None, None, pairs, [0.5, 1], [1.5], sampling)
    assert calls == [(0, 1.0), (0, 1.0), (1, 1.5)]
    assert half["slope"] == pytest.approx(0.5) and half["mean"] == pytest.approx(25) and half["label_r2"] > 0.999
    assert one["r2"] == pytest.approx(1) and half["r2"] < 0 and guided["steps"] == 1
    text = strength_text([half, one, guided])
    assert "| amplitude 0.5 | 0 | 25.0 |" in text and "| guidance 1.5 | 1 | 50.0 |" in text


class Recorder:
    """A generator whose codes are the numbers of the frames on a heart's grid, and which notes what it is told."""

    def __init__(self):
        self.config = {"frames": 16, "rate": 12.5, "size": 112, "code": "mafe", "detail": False}
        self.vae, self.device, self.told = MCDMPipeline.load("bundled").vae, torch.device("cpu"), []

    def encode_motion(self, heart):
        self.ed = heart.ed
        return torch.from_numpy(heart.grid.astype(np.float32))[:, None]

    def __call__(self, looks, codes, **told):
        self.told.append(told)
        return (torch.zeros(len(looks), 16, 112, 112, dtype=torch.uint8),)


def test_rests_are_the_ed_frames_codes_and_guidance_reaches_the_generator():
    pipeline = Recorder()
    pairs = draw_pairs(pipeline, 1, seed=3)
    assert pairs.rests[0].item() == pipeline.ed and pairs.codes[0].shape == (16, 1)
    generate(pipeline, pairs.references, pairs.codes, steps=1, sampler="ddim", seed=0, guidance=1.5)
    generate(pipeline, pairs.references, pairs.codes, steps=1, sampler="ddim", seed=0)
    assert [told["guidance_scale"] for told in pipeline.told] == [1.5, 1.0]


@pytest.mark.parametrize(("count", "seed"), [(1, 1000), (1, -1), (50_001, 0), (0, 0)])
def test_pairs_whose_phantoms_others_know_are_refused(count, seed):
    with pytest.raises(EchoAugmentError, match=rf"pairs={count} of seed={seed}: their phantoms would be"):
        draw_pairs(Recorder(), count, seed)


@pytest.mark.parametrize("value", [1.2, ["a"], [float("nan")], True])
def test_what_is_no_list_of_numbers_is_named(value):
    frame = SimpleNamespace(config={"code": "mafe"})
    for key in ("amplitude", "guidance"):
        with pytest.raises(EchoAugmentError, match=rf"{key} must be a list of numbers, got .*{key}=\[0.8,1.2\]"):
            check_strength(frame, 8, **({"amplitude": [], "guidance": []} | {key: value}))


def test_what_cannot_be_measured_is_refused_first():
    vector, frame = (SimpleNamespace(config={"code": code}) for code in ("vector", "mafe"))
    assert check_strength(frame, 8, [0.5], (2,)) == ([0.5], [2.0])
    assert check_strength(vector, 2, [], None) == ([], [])
    with pytest.raises(EchoAugmentError, match=r"amplitude=\[0\.5\]: one motion vector"):
        check_strength(vector, 100, [0.5], [])
    with pytest.raises(EchoAugmentError, match="pairs=7 are too few"):
        check_strength(vector, 7, [], [1.5])
