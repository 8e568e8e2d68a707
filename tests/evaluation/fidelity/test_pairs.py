"""Pairs of phantoms: the codes of the ED frames, and seeds that nobody else uses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.fidelity.pairs import draw_pairs
from echo_augment.training_recipes.judging.sampling import Sampling, generate


class Recorder:
    """A generator whose codes are the numbers of the frames on a video's grid, and which notes what it is told."""

    def __init__(self):
        self.config = {"frames": 16, "rate": 12.5, "size": 112, "code": "mafe", "detail": False}
        self.vae, self.device, self.told = MCDMPipeline.load("bundled").vae, torch.device("cpu"), []
        self.hearts = []

    def encode_motion(self, heart):
        self.hearts.append(heart)
        return torch.from_numpy(heart.grid.astype(np.float32))[:, None]

    def __call__(self, references, codes, **told):
        self.told.append(told)
        return (torch.zeros(len(references), 16, 112, 112, dtype=torch.uint8),)


def test_rests_are_the_ed_frames_codes_and_the_generator_is_told_how_to_sample():
    pipeline = Recorder()
    pairs = draw_pairs(pipeline, 1, seed=3)
    assert pairs.rests[0].item() == pipeline.hearts[0].ed and pairs.codes[0].shape == (16, 1)
    for guidance in (1.5, 1.0):
        sampling = Sampling(steps=1, sampler="ddim", seed=0, guidance=guidance)
        made = generate(pipeline, pairs.references, pairs.codes, sampling)
        assert made.clips.shape == made.plain.shape == (1, 16, 112, 112)
    assert [told["guidance_scale"] for told in pipeline.told] == [1.5, 1.0]


def test_the_counterfactuals_own_codes_are_read_relative_to_the_appearance_donors_ed_frame():
    pipeline = Recorder()
    pairs = draw_pairs(pipeline, 1, seed=3)
    seen = pipeline.hearts[1]
    assert np.array_equal(seen.reference, pairs.references[0])
    assert np.array_equal(seen.frames[2::2], pairs.clips["counterfactual"][0])
    assert pairs.told[0][:, 0].tolist() == list(range(2, 34, 2))
    away = pairs.codes[0] - pairs.rests[0]
    expected = (pairs.told[0] - pairs.codes[0]).square().sum() / away.square().sum()
    assert pairs.travel == pytest.approx(float(expected))
    vector = replace(
        pairs, told=[torch.tensor([[3.0, 4.0]])], codes=[torch.tensor([[0.0, 4.0]])], rests=[torch.ones(2)]
    )
    assert vector.travel == pytest.approx(9 / 16)


@pytest.mark.parametrize(("count", "seed"), [(1, 1000), (1, -1), (50_001, 0), (0, 0)])
def test_pairs_whose_phantoms_others_know_are_refused(count, seed):
    with pytest.raises(EchoAugmentError, match=rf"pairs={count} of seed={seed}: their phantoms would be"):
        draw_pairs(None, count, seed)
