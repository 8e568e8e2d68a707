"""How good masks are: Dice, the distance of borders, EF from masks, each by a case that can be told by hand."""

import numpy as np
import pytest

from echo_augment.training_recipes.segmentation.measures import (
    border,
    dice,
    hausdorff95,
    measure,
    pooled_dice,
    scales,
    summary,
)


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_hausdorff_distance_is_that_of_the_borders():
    one = square(10, 10, 12)
    assert hausdorff95(one, one) == 0
    assert hausdorff95(one, square(10, 15, 12)) == pytest.approx(5)
    assert hausdorff95(one, square(15, 15, 2)) == hausdorff95(square(15, 15, 2), one)
    assert hausdorff95(one, np.zeros_like(one)) == pytest.approx(np.hypot(40, 40))
    assert hausdorff95(np.zeros_like(one), np.zeros_like(one)) == 0
    spur = one.copy()
    spur[0:10, 15] = True  # ten pixels of 54 are off: more than 5 %
    lone = one.copy()
    lone[2, 15] = True  # one pixel is not
    assert hausdorff95(spur, one) > 5
    assert hausdorff95(lone, one) == 0


def test_figures_of_a_heart_and_of_all_pixels_together():
    true = np.stack([square(5, 5, 20), square(10, 10, 10)])
    shifted = np.stack([square(5, 9, 20), square(10, 10, 10)])
    found = measure(shifted, true, 60.0, 0.5)
    assert found["dice_ed"] == pytest.approx(16 / 20)
    assert found["dice_es"] == 1
    assert found["dice"] == pytest.approx(2 * (16 * 20 + 100) / (2 * (400 + 100)))
    assert found["hd95"] == pytest.approx(2) and found["hd95_mm"] == pytest.approx(1)
    assert found["ef_masks"] == pytest.approx(100 * (1 - 1 / 8), abs=1)
    assert "hd95_mm" not in measure(shifted, true, 60.0, None)
    large, small = {"pixels": [90, 200, 90, 200]}, {"pixels": [0, 20, 10, 20]}
    pooled = pooled_dice([large, small])
    assert pooled["dice"] == pytest.approx(2 * 190 / 440)
    assert pooled["dice_ed"] == pytest.approx(2 * 90 / 220)
    assert pooled["dice_es"] == pytest.approx(2 * 100 / 220)


def figures(ef, ef_masks, **changes):
    """Figures of one video."""
    found = {"pixels": [45, 100, 40, 100], "dice": 0.85, "dice_ed": 0.9, "dice_es": 0.8}
    found |= {"hd95": 3.0, "hd95_ed": 2.0, "hd95_es": 4.0, "ef": ef, "ef_masks": ef_masks}
    return found | changes


def test_a_border_is_what_touches_the_outside_or_the_rim():
    ring = square(10, 10, 5)
    ring[11:14, 11:14] = False
    np.testing.assert_array_equal(border(square(10, 10, 5)), ring)
    whole = np.ones((4, 4), bool)
    assert border(whole).sum() == 12


def test_a_test_is_summed_up_over_videos_and_over_pixels():
    videos = {
        "a": figures(60.0, 55.0, dice=0.9),
        "b": figures(40.0, 48.0, dice=0.7, pixels=[0, 100, 50, 100]),
        "c": figures(np.nan, 50.0, dice=0.8),
        "d": figures(50.0, np.nan, dice=0.8),
    }
    found = summary(videos)
    assert found["dice"] == pytest.approx(0.8) and found["hd95"] == 3.0 and "hd95_mm" not in found
    assert found["ef_masks"] == {"mae": 6.5, "bias": 1.5, "hearts": 2}, "of videos where both are known"
    assert found["pooled"] == pooled_dice(videos.values())
    assert found["pooled"]["dice_ed"] == pytest.approx(2 * 135 / 400)
    scaled = summary({name: figures(50.0, 50.0, hd95_mm=k) for k, name in enumerate("ab")})
    assert scaled["hd95_mm"] == 0.5


def test_a_test_without_any_known_ef_has_no_error():
    found = summary({"a": figures(np.nan, np.nan)})["ef_masks"]
    assert found["hearts"] == 0 and np.isnan(found["mae"]) and np.isnan(found["bias"])


def test_empty_masks_agree():
    assert dice(0, 0) == 1 and dice(0, 7) == 0
    empty = np.zeros((2, 40, 40), bool)
    found = measure(empty, empty, 50.0, None)
    assert found["dice"] == 1 and found["hd95"] == 0 and np.isnan(found["ef_masks"])


def test_the_scale_of_a_set_that_is_no_phantom_is_unknown(tmp_path):
    assert scales(tmp_path) == {}
