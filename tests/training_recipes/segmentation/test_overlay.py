"""Contours are drawn where the masks end, in their colours."""

import numpy as np
from PIL import Image

from echo_augment.training_recipes.segmentation.overlay import (
    PREDICTED,
    SCALE,
    TRACED,
    Overlay,
    draw_contours,
    write_overlay,
)


def square(low, high, side=40):
    mask = np.zeros((side, side), bool)
    mask[low:high, low:high] = True
    return mask


def test_an_outline_surrounds_its_mask_and_leaves_the_rest_as_it_is():
    frame = np.full((40, 40), 50, np.uint8)
    drawn = draw_contours(frame, [(square(10, 30), TRACED)])
    assert drawn.shape == (40 * SCALE, 40 * SCALE, 3)
    assert np.abs(drawn[10 * SCALE, 20 * SCALE] - np.array(TRACED)).max() < 40, "the upper edge, with soft borders"
    assert tuple(drawn[20 * SCALE, 20 * SCALE]) == tuple(drawn[2, 2]) == (50, 50, 50)


def test_every_video_has_both_frames_with_both_masks(tmp_path):
    frames = np.full((2, 40, 40), 50, np.uint8)
    predicted, traced = np.stack([square(5, 15)] * 2), np.stack([square(20, 35)] * 2)
    write_overlay(tmp_path / "o.png", [Overlay(name, frames, predicted, traced, (0.5, 0.6)) for name in "abc"])
    with Image.open(tmp_path / "o.png") as sheet:
        pixels = np.asarray(sheet).astype(int)
    assert pixels.shape[1] >= 4 * 40 * SCALE, "two videos side by side"
    counts = [int((np.abs(pixels - colour).max(2) < 40).sum()) for colour in (PREDICTED, TRACED)]
    assert counts[0] > 6 * 4 * 9 * SCALE * 0.8 and counts[1] > counts[0], "six outlines each, the traced ones longer"
