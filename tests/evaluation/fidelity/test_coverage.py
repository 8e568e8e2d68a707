"""Coverage and privacy of embeddings whose neighbours are known."""

import numpy as np
import pytest

from echo_augment.evaluation.fidelity.coverage import copying, recall


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_recall_sees_a_mode_that_is_missing(rng):
    left, right = (unit(rng.normal(0, 0.1, (60, 4)) + centre) for centre in ([1, 0, 0, 0], [0, 1, 0, 0]))
    made = unit(rng.normal(0, 0.1, (60, 4)) + np.array([1, 0, 0, 0]))
    assert recall(left, made) > 0.7
    half = recall(np.concatenate([left, right]), made)
    assert recall(right, made) == 0 and half == pytest.approx(recall(left, made) / 2)


def test_a_copier_is_too_close_and_a_stranger_reaches_no_video(rng):
    own = unit(rng.normal(size=(200, 16)))
    halves = tuple(unit(own + 0.1 * rng.normal(size=own.shape)) for _ in range(2))
    copier = copying(own, halves, own)
    painter = copying(own, halves, unit(own + 0.15 * rng.normal(size=own.shape)))
    stranger = copying(own, halves, unit(rng.normal(size=own.shape)))
    assert copier.too_close == 1 and copier.reached == 1
    assert painter.too_close < 0.1 and painter.reached > 0.9
    assert stranger.reached < 0.1 and stranger.too_close == 0
