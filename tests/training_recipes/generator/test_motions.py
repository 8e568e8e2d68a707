"""Affine copies: flow goes where its place goes, turns and grows with it, and the relative change of area stays."""

import numpy as np
import pytest
import torch

from echo_augment.training_recipes.generator.motions import DISK, Copies, copied, draw_copies

SIDE = 56


def grid():
    ys, xs = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    return torch.stack([xs, ys]) / SIDE * 2 - 1


def contraction(centre, widths, radius):
    """Flow that draws places within ``radius`` of ``centre`` towards it, by a share of the distance on each axis."""
    away = grid() - torch.tensor(centre)[:, None, None]
    near = torch.exp(-(((away**2).sum(0) / radius**2) ** 4))
    return -away * torch.tensor(widths)[:, None, None] * near


def copies(linear, shift=(0.0, 0.0), gain=1.0, gamma=1.0):
    tensors = (np.array([linear]), np.array([shift]), np.array([gain]), np.array([gamma]))
    return Copies(*(torch.from_numpy(value.astype(np.float32)) for value in tensors), {})


def divergence(flow, at):
    x, y = ((np.array(at) + 1) / 2 * SIDE).astype(int)
    step = 2 / SIDE
    return float((flow[0, y, x + 1] - flow[0, y, x - 1] + flow[1, y + 1, x] - flow[1, y - 1, x]) / (2 * step))


def test_the_identity_changes_nothing():
    flow, frame = torch.randn(1, 2, SIDE, SIDE), torch.rand(1, 1, SIDE, SIDE)
    moved, seen = copied(flow, frame, copies(np.eye(2)))
    torch.testing.assert_close(moved, flow, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(seen, frame, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_a_contraction_keeps_its_strength_wherever_it_goes(seed):
    centre = (0.1, -0.15)
    flow = contraction(centre, (0.3, 0.15), 0.35)[None]
    drawn = draw_copies(np.random.default_rng(seed), 1)
    moved, _ = copied(flow, torch.ones(1, 1, SIDE, SIDE), drawn)
    there = (drawn.linear[0] @ torch.tensor(centre) + drawn.shift[0]).numpy()
    assert divergence(moved[0], there) == pytest.approx(divergence(flow[0], centre), abs=0.03)


def test_displacements_turn_and_grow_with_the_copy():
    flow = torch.zeros(1, 2, SIDE, SIDE)
    flow[:, 0] = 1.0
    turned, _ = copied(flow, torch.ones(1, 1, SIDE, SIDE), copies(2 * np.array([[0, -1], [1, 0]])))
    middle = turned[0, :, SIDE // 2, SIDE // 2]
    assert middle.tolist() == pytest.approx([0.0, 2.0], abs=1e-5)


def test_all_frames_of_a_copy_go_the_same_way():
    frames = torch.rand(1, 1, SIDE, SIDE).expand(1, 2, SIDE, SIDE)
    _, seen = copied(torch.zeros(1, 2, SIDE, SIDE), frames, draw_copies(np.random.default_rng(1), 1))
    assert torch.equal(seen[:, 0], seen[:, 1]) and seen.std() > 0.05


def test_light_changes_the_frames_alone():
    flow, frame = torch.randn(1, 2, SIDE, SIDE), torch.full((1, 1, SIDE, SIDE), 0.25)
    moved, seen = copied(flow, frame, copies(np.eye(2), gain=1.2, gamma=0.5))
    assert seen[0, 0, SIDE // 2, SIDE // 2].item() == pytest.approx(0.6, abs=1e-3)
    torch.testing.assert_close(moved, flow, atol=1e-4, rtol=1e-4)


def test_draws_are_their_seeds_and_stay_in_range():
    one, two = (draw_copies(np.random.default_rng(4), 200) for _ in range(2))
    assert all(torch.equal(getattr(one, key), getattr(two, key)) for key in ("linear", "shift", "gain", "gamma"))
    assert all(torch.equal(one.disks[key], two.disks[key]) for key in DISK)
    assert all(low <= one.disks[key].min() and one.disks[key].max() <= high for key, (low, high) in DISK.items())
    sizes = torch.linalg.svdvals(one.linear)
    assert 0.6 <= sizes.min() < 0.7 and 1.4 < sizes.max() <= 1.65
    assert one.linear.det().min() > 0, "no copy is mirrored"
