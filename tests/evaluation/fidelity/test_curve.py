"""The curve over steps: nothing is generated twice, and the fewest steps that are nearly the best are enough."""

from types import SimpleNamespace

import numpy as np
import pytest
from fakes.fidelity import CURVE

from echo_augment.evaluation.fidelity import curve
from echo_augment.evaluation.fidelity.curve import fewest_steps, step_curve
from echo_augment.training_recipes.judging.sampling import Generated, Sampling


def test_a_curve_takes_what_was_generated_before(monkeypatch):
    truth = np.random.default_rng(0).integers(0, 255, (6, 2, 16, 16)).astype(np.uint8)
    ef, asked = np.linspace(30, 70, 6), []
    pairs = SimpleNamespace(
        clips={"counterfactual": truth, "own": truth ^ 1},
        references=None,
        codes=None,
        ef_motion=ef,
        ef_appearance=ef % 7,
    )

    def generate(pipeline, references, codes, sampling):
        asked.append(sampling.steps)
        return Generated(clips=truth ^ 8, plain=truth, seconds=2.0)

    monkeypatch.setattr(curve, "generate", generate)
    reader = SimpleNamespace(read=lambda clips: ef + float(clips[0, 0, 0, 0] == truth[0, 0, 0, 0]))
    done = {0: Generated(clips=truth ^ 1, plain=truth, seconds=1.0), 9: Generated(clips=truth, plain=truth, seconds=9)}
    sampling = Sampling(steps=0, sampler="ddim", seed=0)
    none, one = step_curve(None, reader, pairs, [0, 1], sampling, done, lambda clips: clips.mean((2, 3)))
    assert asked == [1] and (none.seconds, one.seconds) == (1.0, 2.0)
    assert none.likeness.psnr > one.likeness.psnr
    assert none.frechet == pytest.approx(0, abs=1e-6) and one.frechet > 1e-3


def test_the_default_is_the_fewest_steps_that_are_nearly_the_best():
    assert fewest_steps(CURVE) == 4 and fewest_steps(CURVE, 0.0) == 8 and fewest_steps(CURVE, 0.1) == 2
