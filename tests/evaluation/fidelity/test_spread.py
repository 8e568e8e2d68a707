"""The spread over seeds: nothing without chance, its size with, and each sample has a seed of its own."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from echo_augment.evaluation.fidelity import spread
from echo_augment.evaluation.fidelity.spread import SeedSpread, measured, seed_spread
from echo_augment.evaluation.fidelity.text import spread_text
from echo_augment.training_recipes.judging.sampling import Generated, Sampling


def noisy(seed, size, count=3):
    rng = np.random.default_rng(seed)
    return np.clip(128 + rng.normal(0, size, (count, 4, 24, 24)), 0, 255).round().astype(np.uint8)


def test_the_texture_is_the_noise_that_seeds_add():
    samples = np.stack([noisy(seed, 8.0) for seed in range(6)])
    found = measured(samples, np.full_like(samples[0], 128), np.zeros((6, 3)) + np.arange(6)[:, None])
    assert found.texture == pytest.approx(8, rel=0.05) and found.missing == pytest.approx(8, rel=0.05)
    assert found.ef == pytest.approx(np.arange(6).std(ddof=1)) and (found.pairs, found.seeds) == (3, 6)


def test_the_same_clip_again_has_no_spread():
    samples = np.stack([noisy(1, 8.0)] * 4)
    found = measured(samples, samples[0], np.ones((4, 3)))
    assert found.to_json() == {"pairs": 3, "seeds": 4, "texture": 0.0, "missing": 0.0, "ef": 0.0}


def test_samples_have_seeds_of_their_own_and_are_as_many_as_asked_for(monkeypatch):
    asked = []

    def made(_pipeline, references, codes, sampling):
        asked.append((sampling.seed, len(references), len(codes)))
        clips = noisy(sampling.seed, 5.0, len(codes))
        return Generated(clips=clips, plain=clips, seconds=0.0)

    monkeypatch.setattr(spread, "generate", made)
    monkeypatch.setattr(spread, "PAIRS", 2)
    pairs = SimpleNamespace(
        references=np.zeros((3, 24, 24), np.uint8), codes=[torch.zeros(4, 2)] * 3, clips={"codec": noisy(9, 0.0)}
    )
    reader = SimpleNamespace(read=lambda clips: clips.mean((1, 2, 3)))
    found = seed_spread(None, reader, pairs, Sampling(steps=2, sampler="ddim", seed=7), 4, noisy(7, 5.0))
    assert asked == [(1007, 2, 2), (2007, 2, 2), (3007, 2, 2)]
    assert (found.pairs, found.seeds) == (2, 4) and found.texture == pytest.approx(5, rel=0.1)


def test_it_is_told_in_words():
    text = spread_text(SeedSpread(pairs=16, seeds=4, texture=3.21, missing=9.87, ef=0.55))
    assert "16 pairs with 4 seeds each" in text and "3.21 grey levels" in text and "0.55 EF points" in text
