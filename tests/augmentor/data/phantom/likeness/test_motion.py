"""Figures of motion: right where the answer is known."""

import cv2
import numpy as np
import pytest

from echo_augment.augmentor.data.phantom.likeness.motion import (
    COMPONENTS,
    component_shares,
    explained,
    flow_figures,
    speckle_lags,
    warp_figures,
)


def texture(seed: int = 0) -> np.ndarray:
    field = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal((112, 112)).astype(np.float32), (0, 0), 2.5)
    return np.clip(130 + 40 * field / field.std(), 1, 255).astype(np.uint8)


def shifted(image: np.ndarray, by: float) -> np.ndarray:
    move = np.array([[1, 0, by], [0, 1, 0]], np.float32)
    return cv2.warpAffine(image, move, (112, 112), borderMode=cv2.BORDER_REFLECT)


def encode(frames: np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(frame, (28, 28), interpolation=cv2.INTER_AREA) for frame in frames]).astype(np.float32)


def test_a_shift_is_explained_by_a_warp_and_another_picture_is_not():
    still = texture()
    moved = np.stack([shifted(still, by) for by in (0, 1, 2, 3)])
    found = warp_figures(still, moved, encode)
    assert found["warp_image"] > 0.9 and found["warp_latent"] > 0.9
    other = warp_figures(still, np.stack([texture(1), texture(2)]), encode)
    assert other["warp_image"] < 0.8
    assert found["still_psnr"] == pytest.approx(
        10 * np.log10(255**2 / np.mean((moved[1:].astype(float) - still) ** 2)), abs=0.01
    )


def test_explained_is_one_for_the_truth_and_nothing_for_a_still():
    truth, still = np.arange(12.0).reshape(3, 4), np.zeros((1, 4))
    assert explained(truth, truth, still) == 1 and explained(np.zeros((3, 4)), truth, still) == 0


def test_components_count_what_moves_on_its_own():
    courses = np.random.default_rng(0).standard_normal((50, 3))
    shapes = np.linalg.qr(np.random.default_rng(1).standard_normal((40, 3)))[0].T
    found = component_shares(courses @ shapes)
    assert found["components_1"] < 0.7 and found["components_2"] < 0.95
    assert found["components_4"] == pytest.approx(1) and len(found) == len(COMPONENTS)


def test_speckle_that_moves_is_found_along_the_flow_and_new_speckle_is_not():
    moving = np.stack([shifted(texture(), 0.3 * t) for t in range(24)])
    along = speckle_lags(moving)
    assert along["speckle_lag_2"] > along["speckle_lag_4"] > along["speckle_lag_16"]
    assert along["speckle_carried_16"] > along["speckle_lag_16"] + 0.3
    new = speckle_lags(np.stack([texture(t) for t in range(24)]))
    assert new["speckle_lag_2"] < 0.2


def test_flow_off_the_walls_is_held_against_the_walls():
    mask = np.zeros((112, 112), bool)
    mask[40:70, 40:70] = True
    still = texture()
    everywhere = flow_figures(still, np.stack([shifted(still, 2.0)]), mask)
    assert everywhere["flow_off_walls"] == pytest.approx(1, abs=0.25)
    inner = still.copy()
    inner[30:80, 30:80] = shifted(still, 2.0)[30:80, 30:80]
    assert flow_figures(still, inner[None], mask)["flow_off_walls"] < 0.4
