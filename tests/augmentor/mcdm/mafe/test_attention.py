"""Windows are cut and joined without loss, shifted ones keep opposite borders apart, and places follow attention."""

import pytest
import torch

from echo_augment.augmentor.mcdm.mafe.attention import (
    MASKED,
    FeedForward,
    InterFrameAttention,
    InterFrameLayer,
    Windows,
)


@pytest.mark.parametrize(("side", "shift"), [(14, 0), (14, 3), (7, 0), (7, 3)])
def test_what_is_cut_joins_to_the_same_map(side, shift):
    windows = Windows(side, 7, shift)
    x = torch.rand(2, side, side, 3)
    cut = windows.split(x)
    assert cut.shape == (2 * (side // 7) ** 2, 49, 3)
    assert torch.equal(windows.join(cut), x)


@pytest.mark.parametrize("side", [14, 7])
def test_the_mask_parts_places_that_only_rolling_brought_together(side):
    windows = Windows(side, 7, 3)
    line = torch.arange(side)
    cut = windows.split(torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)[None])
    seam = cut < 3  # the first three rows and columns come last, beside the map's end
    last = cut.amax(1, keepdim=True) == side - 1  # of windows that hold that end; others are whole
    part = (seam & last).long()
    together = (part[:, :, None] == part[:, None, :]).all(-1)
    assert torch.equal(windows.mask == 0, together) and (windows.mask != 0).any()
    assert set(windows.mask.unique().tolist()) == {MASKED, 0.0}
    assert Windows(side, 7, 0).mask is None


def test_places_are_x_and_y_of_the_whole_map():
    windows = Windows(14, 7, 0)
    assert windows.places.shape == (4, 49, 2)
    assert windows.places[1, 0].tolist() == pytest.approx([1 / 13, -1]), "the second window lies right of the first"
    assert windows.places[2, 0].tolist() == pytest.approx([-1, 1 / 13])


def test_who_attends_to_itself_has_not_moved():
    attention = InterFrameAttention(8, 4, 2)
    torch.nn.init.zeros_(attention.motion.bias)
    places = Windows(7, 7, 0).places
    alone = torch.full((1, 49, 49), MASKED)
    alone[0].fill_diagonal_(0)
    with torch.no_grad():
        attended, motion = attention(torch.randn(3, 49, 8), torch.randn(3, 49, 8), places, alone)
    assert attended.shape == (3, 49, 8) and motion.abs().max() < 1e-5


def test_motion_is_the_way_to_the_place_that_is_attended_to():
    attention = InterFrameAttention(8, 2, 1)
    for layer in (attention.place, attention.motion):
        torch.nn.init.eye_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    places = Windows(7, 7, 0).places
    right = torch.full((1, 49, 49), MASKED)
    for place in range(49):
        right[0, place, place + 1 if place % 7 < 6 else place] = 0
    with torch.no_grad():
        _, motion = attention(torch.randn(1, 49, 8), torch.randn(1, 49, 8), places, right)
    step = motion.unflatten(1, (7, 7))
    torch.testing.assert_close(step[0, :, :6, 0], torch.full((7, 6), 2 / 6), atol=1e-5, rtol=0)
    assert step[0, :, 6].abs().max() < 1e-5 and step[..., 1].abs().max() < 1e-5


def test_neighbours_meet_in_the_feed_forward_layer():
    layer = FeedForward(4).eval()
    x = torch.rand(1, 7, 7, 4)
    changed = x.clone()
    changed[0, 3, 3] += 1
    with torch.no_grad():
        moved = (layer(changed) - layer(x)).abs().sum(-1)[0] > 0
    assert moved[2:5, 2:5].all() and moved.sum() == 9


def test_a_layer_looks_at_the_other_frame():
    layer = InterFrameLayer(8, 4, 2, Windows(7, 7, 3)).eval()
    x = torch.randn(4, 7, 7, 8)
    other = x.clone()
    other[3] += torch.randn(7, 7, 8)
    with torch.no_grad():
        (before, motion_before), (after, motion_after) = layer(x), layer(other)
    assert before.shape == (4, 7, 7, 8) and motion_before.shape == (4, 7, 7, 4)
    changed = [(one - two).abs().max() > 1e-4 for one, two in zip(before, after, strict=True)]
    assert changed == [False, True, False, True], "the second pair's first frame and second frame"
    assert torch.equal(motion_before[0], motion_after[0]) and not torch.equal(motion_before[1], motion_after[1])
