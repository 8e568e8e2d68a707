"""MAFE: the reference's sizes, and the meaning of its flow."""

import pytest
import torch

from echo_augment.augmentor.mcdm.mafe import MAFE, warp


def test_default_sizes_are_the_references():
    mafe = MAFE()
    assert mafe.vector_size == 1536
    pair = torch.rand(2, 1, 1, 112, 112)
    with torch.no_grad():
        assert mafe.motion_vector(pair[0], pair[1]).shape == (1, 1536)
        assert mafe.motion_vector(pair[0], pair[1], flip=True).shape == (1, 3072)


def test_output_shapes_and_vector():
    mafe = MAFE(8, (1, 1, 1, 2, 2), (2, 4))
    first, second = torch.rand(2, 3, 1, 112, 112)
    with torch.no_grad():
        output = mafe(first, second)
        torch.testing.assert_close(output.vector, mafe.motion_vector(first, second))
        torch.testing.assert_close(output.flow, mafe.flow(first, second))
    assert output.frame.shape == (3, 1, 112, 112) and output.frame.min() >= 0 and output.frame.max() <= 1
    assert output.vector.shape == (3, mafe.vector_size)
    assert output.appearance.shape == (3, 2, 128)


def test_swapping_the_frames_swaps_the_directions():
    mafe = MAFE(8, (1, 1, 1, 2, 2), (2, 4))
    first, second = torch.rand(2, 2, 1, 112, 112)
    with torch.no_grad():
        there, back = mafe(first, second), mafe(second, first)
    for one, two in zip(there.motion, back.motion, strict=True):
        torch.testing.assert_close(one, two.flip(1), atol=1e-4, rtol=1e-4)


def test_warp_follows_the_flow():
    image = torch.zeros(1, 1, 16, 16)
    image[0, 0, 5, 9] = 1.0
    flow = torch.zeros(1, 2, 16, 16)
    flow[:, 0], flow[:, 1] = 3.0, -2.0  # out(x, y) = image(x + 3, y - 2)
    moved = warp(image, flow)
    assert moved[0, 0, 7, 6] == pytest.approx(1.0, abs=1e-4) and moved.sum() == pytest.approx(1.0, abs=1e-3)


def test_a_few_steps_learn_the_flow_of_a_shift():
    """The head must be able to turn features into a flow of the right sign and axis."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        mafe = MAFE(8, (1, 1, 1, 1, 1), (2, 4))
        optimizer = torch.optim.AdamW(mafe.parameters(), lr=3e-3)
        noise = torch.nn.functional.avg_pool2d(torch.rand(4, 1, 124, 124), 5, 1, 2)
        first, second = noise[..., 6:118, 6:118], noise[..., 6:118, 3:115]  # content moves 3 pixels to the right
        target = torch.zeros(4, 2, 112, 112)
        target[:, 0] = 3.0
        for _ in range(25):
            loss = (mafe.flow(first, second) - target).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    flow = mafe.flow(first, second)
    assert flow[:, 0].mean() > 2 and flow[:, 1].abs().mean() < 0.6
