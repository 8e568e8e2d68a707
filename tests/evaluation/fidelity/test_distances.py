"""Distances of rows of clips and the overlap of masks on cases with a known answer."""

import numpy as np
import pytest

from echo_augment.evaluation.fidelity.distances import Overlap, frechet_distances, mask_overlap


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_overlap_is_taken_at_the_largest_and_smallest_true_mask():
    truth = np.zeros((1, 3, 8, 8), bool)
    for t, side in enumerate((4, 8, 2)):
        truth[0, t, :side, :side] = True
    frames = np.where(truth, 200, 10).astype(np.uint8)
    assert mask_overlap(frames, truth, lambda clip: clip > 100) == Overlap(dice=1, dice_ed=1, dice_es=1)
    blind = mask_overlap(frames, truth, lambda clip: np.ones(clip.shape, bool))
    assert blind.dice_ed == 1 and blind.dice_es == pytest.approx(8 / 68) and blind.dice < 1


def test_distances_are_taken_to_the_appearance_donors_own_clips(rng):
    own, donor = (rng.integers(0, 255, (6, 2, 4, 4)).astype(np.uint8) for _ in range(2))
    found = frechet_distances({"own": own, "donor": donor, "codec": own}, lambda clips: clips.mean((2, 3)), "mean")
    assert list(found.distances) == ["real", "codec"] and found.extractor == "mean"
    assert found.distances["codec"] == pytest.approx(0, abs=1e-6) and found.distances["real"] > 0
