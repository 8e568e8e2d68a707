"""A flow turned with its frames still leads from one to the other."""

from itertools import product

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.mafe import warp
from echo_augment.augmentor.mcdm.mafe.turns import Turn

TURNS = [
    Turn(mirrored=mirrored, upside_down=upside_down, quarters=quarters)
    for mirrored, upside_down, quarters in product((False, True), (False, True), range(4))
]


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_a_turned_flow_fits_turned_frames(turn):
    rng = np.random.default_rng(0)
    image = rng.random((1, 1, 16, 16), np.float32)
    flow = np.zeros((1, 2, 16, 16), np.float32)
    flow[:, 0], flow[:, 1] = 2.0, rng.integers(-3, 4, (16, 16))
    there = warp(torch.from_numpy(image), torch.from_numpy(flow)).numpy()
    turned, moved = turn.frames(image).copy(), turn.flow(flow).copy()
    torch.testing.assert_close(
        warp(torch.from_numpy(turned), torch.from_numpy(moved)), torch.from_numpy(turn.frames(there).copy())
    )


def test_all_eight_ways_are_drawn():
    square = np.arange(4).reshape(2, 2)
    drawn = [Turn.draw(np.random.default_rng(seed)).frames(square).tobytes() for seed in range(80)]
    assert len(set(drawn)) == 8
