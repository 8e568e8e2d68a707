"""Overlays: there if asked for, outside the heart, and still."""

from dataclasses import replace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.data.phantom.overlay import NOTHING, draw_overlay

HEART = sample_phantom(6)


@pytest.mark.parametrize("style", [1, 2, 3])
def test_an_overlay_is_drawn_and_never_moves(style: int):
    view = replace(HEART.appearance, overlay=style)
    drawn = draw_overlay(view, 112)
    assert drawn.max() > 90 and 0 < (drawn > 0).mean() < 0.05
    plain = render(HEART.motion, replace(view, overlay=NOTHING), num_frames=4).frames
    shown = render(HEART.motion, view, num_frames=4).frames
    there = drawn > 60
    assert (shown[:, there] >= drawn[there].astype(np.uint8)).all()
    assert (shown[:, drawn == 0] == plain[:, drawn == 0]).all()


def test_no_overlay_is_empty_and_sizes_scale():
    assert not draw_overlay(replace(HEART.appearance, overlay=NOTHING), 112).any()
    small, large = (draw_overlay(replace(HEART.appearance, overlay=1), size) for size in (112, 224))
    assert large.shape == (224, 224) and large.any() and small.any()
