"""Distances of rows of clips and the overlap of masks on cases with a known answer."""

import numpy as np
import pytest

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.evaluation.fidelity.distances import Carried, Overlap, carried, frechet_distances, mask_overlap
from echo_augment.evaluation.fidelity.pairs import draw_pairs


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


def squares(*sides):
    masks = np.zeros((len(sides), 16, 16), bool)
    for mask, side in zip(masks, sides, strict=True):
        mask[:side, :side] = True
    return masks


def test_the_ends_are_those_of_the_true_masks():
    truth, tracing = squares(6, 8, 4)[None], squares(8)
    exact = Carried.of(truth, tracing, truth)
    assert exact.ed.mean == exact.es.mean == 1 and exact.still.mean == pytest.approx(2 * 16 / (64 + 16))
    off = Carried.of(squares(6, 8, 8)[None], tracing, truth)
    assert off.ed.mean == 1 and off.es.mean == off.still.mean
    assert exact.ed.ci is None, "one pair has no interval"
    many = Carried.of(np.repeat(truth, 9, 0), np.repeat(tracing, 9, 0), np.repeat(truth, 9, 0))
    assert many.es.ci == pytest.approx((1, 1))


@pytest.mark.slow
def test_the_bundled_generator_s_masks_follow_the_wall():
    pipeline = MCDMPipeline.load("bundled")
    pairs = draw_pairs(pipeline, 12, 5)
    found = carried(pipeline, pairs, 0)
    assert found.ed.mean > 0.9 and found.es.mean > found.still.mean + 0.05
    assert found.es.ci[0] > found.still.ci[1]
