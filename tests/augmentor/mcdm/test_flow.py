"""The flow estimator sees a shift, in pixels; fields are shrunk and pooled by means."""

import numpy as np
import pytest

from echo_augment.augmentor.mcdm.flow import FlowEstimator, grid_weights, pool_flow, shrink_flow


def test_flow_teacher_sees_a_shift():
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 255, (28, 28)), np.ones((4, 4))).astype(np.uint8)
    flow = FlowEstimator()(image, np.roll(image, 2, axis=1))
    assert np.median(flow[0]) == pytest.approx(2, abs=0.3) and np.median(flow[1]) == pytest.approx(0, abs=0.3)


def test_pooling_is_a_weighted_mean():
    weights = grid_weights(np.full((112, 112), 50, np.uint8))
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-4)
    flow = np.stack([np.full((112, 112), 2.0), np.full((112, 112), -1.0)]).astype(np.float32)
    pooled = pool_flow(flow[None], weights)
    assert pooled.shape == (1, 50)
    np.testing.assert_allclose(pooled[0], [2] * 25 + [-1] * 25, rtol=1e-4)


def test_a_small_flow_is_a_mean():
    flow = np.random.default_rng(0).normal(size=(2, 16, 24)).astype(np.float32)
    assert shrink_flow(flow)[1, 1, 2] == pytest.approx(flow[1, 4:8, 8:12].mean(), abs=1e-6)
