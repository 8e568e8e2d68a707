"""Warping and merging follow the flow; a head adds to what is estimated so far, and sees the frames."""

import pytest
import torch

from echo_augment.augmentor.mcdm.mafe.heads import FlowHead, merge, warp


def test_warp_follows_the_flow():
    image = torch.zeros(1, 1, 16, 16)
    image[0, 0, 5, 9] = 1.0
    flow = torch.zeros(1, 2, 16, 16)
    flow[:, 0], flow[:, 1] = 3.0, -2.0  # out(x, y) = image(x + 3, y - 2)
    moved = warp(image, flow)
    assert moved[0, 0, 7, 6] == pytest.approx(1.0, abs=1e-4) and moved.sum() == pytest.approx(1.0, abs=1e-3)


def test_merge_takes_each_frame_by_its_share():
    first, second = torch.rand(2, 1, 3, 16, 16)
    state = torch.zeros(1, 5, 16, 16)
    merged, warped = merge(first, second, state)
    torch.testing.assert_close(merged, (first + second) / 2)
    torch.testing.assert_close(warped, torch.cat([first, second], dim=1))
    state[:, 4] = 20.0
    torch.testing.assert_close(merge(first, second, state)[0], first)


@pytest.mark.parametrize("frame", [1, 3])
def test_heads_go_from_features_to_flows_at_the_frames_side(frame):
    first, second = torch.rand(2, 1, frame, 112, 112)
    coarse = FlowHead(256, frame, 16, 16, first=True).eval()
    fine = FlowHead(128, frame, 16, 8).eval()
    with torch.no_grad():
        state = coarse(torch.rand(1, 256, 7, 7), first, second, None)
        features = torch.rand(1, 128, 14, 14)
        step = fine(features, first, second, state)
        for weight in fine.net[-1].parameters():
            weight.zero_()
        assert state.shape == step.shape == (1, 5, 112, 112)
        assert torch.equal(fine(features, first, second, state), state), "a head that says nothing changes nothing"


def test_a_fresh_head_sees_what_moves_and_lets_both_directions_pass():
    """As EMA-VFI begins, a hundredth of that, and one direction counts half."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        head = FlowHead(128, 1, 16, 8, first=True)
        features, others = torch.randn(2, 8, 128, 6, 6)
        first, second = torch.rand(2, 8, 1, 48, 48)
        moved = second + 0.05 * torch.randn_like(second)
        with torch.no_grad():
            flow, by_frames, by_features = (
                head(seen, first, after, None)[:, :4]
                for seen, after in ((features, second), (features, moved), (others, second))
            )
    assert (by_frames - flow).std() > 0.04 * (by_features - flow).std()
    change = by_features - by_features.mean((0, 2, 3), keepdim=True)
    assert 0.75 < -change.min() / change.max() < 1.33
