"""Carried masks are measured at the ends of the true motion, and against masks that stand still."""

import numpy as np
import pytest

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.evaluation.fidelity.carried import Carried, carried
from echo_augment.evaluation.fidelity.pairs import draw_pairs


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
