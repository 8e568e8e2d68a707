"""Copies: flow goes where its two ends go, a contraction keeps its strength, and an EF survives size and shape."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from echo_augment.augmentor.mcdm.flow import SHRINK
from echo_augment.training_recipes.generator.motions import (
    DISK,
    MIDDLE,
    PLACES,
    SIZE,
    Copies,
    bends,
    copied_flow,
    copied_frames,
    copied_places,
    draw_copies,
    originals,
    places_of,
)

SIDE = 56
PIXELS = SHRINK * SIDE / 2  # of a frame, in half a side of it


def contraction(centre, widths, radius):
    """Flow in pixels that draws places within ``radius`` of ``centre`` towards it, by a share of their distance."""
    away = places_of(SIDE, Copies.unchanged(1))[0].movedim(-1, 0) - torch.tensor(centre)[:, None, None]
    near = torch.exp(-(((away**2).sum(0) / radius**2) ** 4))
    return -away * torch.tensor(widths)[:, None, None] * near * PIXELS


def divergence(flow, at):
    x, y = ((np.array(at) + 1) / 2 * SIDE).astype(int)
    step = 2 * SHRINK
    return float((flow[0, y, x + 1] - flow[0, y, x - 1] + flow[1, y + 1, x] - flow[1, y - 1, x]) / step)


def bent(centre=MIDDLE, magnified=1.0, reach=0.8, shade=0.0):
    """One copy with one bulge."""
    numbers = {
        "centre": torch.tensor([[centre]]),
        "bend": torch.tensor([[1 / magnified - 1]]),
        "reach": torch.tensor([[reach]]),
        "shade": torch.tensor([[shade]]),
    }
    return replace(Copies.unchanged(1), **numbers)


def test_the_unchanged_copy_changes_nothing():
    flow, frame = torch.randn(2, 2, SIDE, SIDE), torch.rand(2, 1, SIDE, SIDE)
    torch.testing.assert_close(copied_flow(flow, Copies.unchanged(2)), flow, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(copied_frames(frame, Copies.unchanged(2)), frame, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_a_contraction_keeps_its_strength_wherever_it_goes(seed):
    centre = (0.1, -0.15)
    flow = contraction(centre, (0.3, 0.15), 0.35)[None]
    drawn = replace(draw_copies(np.random.default_rng(seed), 1), bend=torch.zeros(1, 3))
    moved = copied_flow(flow, drawn)
    there = (drawn.linear[0] @ torch.tensor(centre) + drawn.shift[0]).numpy()
    assert divergence(moved[0], there) == pytest.approx(divergence(flow[0], centre), abs=0.03)


def test_displacements_turn_and_grow_with_the_copy():
    flow = torch.zeros(1, 2, SIDE, SIDE)
    flow[:, 0] = 1.0
    turned = copied_flow(flow, replace(Copies.unchanged(1), linear=2 * torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])))
    assert turned[0, :, SIDE // 2, SIDE // 2].tolist() == pytest.approx([0.0, 2.0], abs=1e-4)


def test_they_grow_in_the_flat_middle_of_a_bulge_and_nowhere_beyond_it():
    flow = torch.zeros(1, 2, SIDE, SIDE)
    flow[:, 0] = 1.0
    moved = copied_flow(flow, bent(magnified=1.4, reach=0.7))
    assert moved[0, :, SIDE // 2, SIDE // 2].tolist() == pytest.approx([1.4, 0.0], abs=0.02)
    assert moved[0, :, 1, 1].tolist() == pytest.approx([1.0, 0.0], abs=0.01)


def test_places_and_originals_undo_each_other_and_nothing_folds():
    drawn = draw_copies(np.random.default_rng(0), 200)
    places = places_of(SIDE, drawn)
    there = originals(places, drawn)
    off = (copied_places(there, drawn) - places).abs().amax((1, 2, 3)) * 2 * SIDE
    assert off.median() < 0.05 and off.max() < 2, "pixels of a frame"
    across, down = there.diff(dim=2)[:, 1:], there.diff(dim=1)[:, :, 1:]
    assert (across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]).min() > 0
    assert bends(places, drawn).abs().amax() > 0.1


def half_ellipse(width, length):
    """Border of a ventricle ``(N, 2)`` whose apex is up, its base in the middle of the mitral plane, in half sides."""
    turns = np.linspace(0, np.pi, 200)
    border = np.stack([width * np.cos(turns), 0.35 - length * np.sin(turns)], axis=1)
    return torch.from_numpy(border.astype(np.float32))


def area(border):
    x, y = border.T.double()
    return float((x * y.roll(-1) - y * x.roll(-1)).sum().abs() / 2)


def test_a_bulge_changes_the_ventricles_size_and_hardly_its_fractional_change_of_area():
    rng, sizes, errors = np.random.default_rng(0), [], []
    frames = [half_ellipse(0.27, 0.8), half_ellipse(0.2, 0.68)]
    before = [area(border) for border in frames]
    for drawn in [draw_copies(rng, 1) for _ in range(200)]:
        alone = replace(drawn, linear=torch.eye(2)[None], shift=torch.zeros(1, 2))
        after = [area(copied_places(border[None, None], alone)[0, 0]) for border in frames]
        sizes.append(np.sqrt(after[0] / before[0]))
        errors.append(100 * (before[1] / before[0] - after[1] / after[0]))
    assert min(sizes) < 0.8 and max(sizes) > 1.25
    assert abs(np.mean(errors)) < 0.7 and np.std(errors) < 2.5, "points of the fractional area change"


def test_all_frames_of_a_copy_go_the_same_way():
    frames = torch.rand(1, 1, SIDE, SIDE).expand(1, 2, SIDE, SIDE)
    seen = copied_frames(frames, draw_copies(np.random.default_rng(1), 1))
    assert torch.equal(seen[:, 0], seen[:, 1]) and seen.std() > 0.05


def test_light_changes_the_frames_alone():
    flow, frame = torch.randn(1, 2, SIDE, SIDE), torch.full((1, 1, SIDE, SIDE), 0.25)
    lit = replace(Copies.unchanged(1), gain=torch.tensor([1.2]), gamma=torch.tensor([0.5]))
    assert copied_frames(frame, lit)[0, 0, SIDE // 2, SIDE // 2].item() == pytest.approx(0.6, abs=1e-3)
    torch.testing.assert_close(copied_flow(flow, lit), flow, atol=1e-4, rtol=1e-4)
    shaded = copied_frames(frame, bent(shade=0.5, reach=0.3))
    assert shaded[0, 0, SIDE // 2, SIDE // 2].item() == pytest.approx(0.25 * np.exp(0.5), rel=0.01)
    assert shaded[0, 0, 2, 2].item() == pytest.approx(0.25, abs=1e-3)


def test_draws_are_their_seeds_and_stay_in_range():
    one, two = (draw_copies(np.random.default_rng(4), 200) for _ in range(2))
    assert all(torch.equal(value, two.plain()[key]) for key, value in one.plain().items())
    assert all(low <= one.disks[key].min() and one.disks[key].max() <= high for key, (low, high) in DISK.items())
    sizes = torch.linalg.svdvals(one.linear)
    assert 0.6 <= sizes.min() < 0.7 and 1.4 < sizes.max() <= 1.65
    assert one.linear.det().min() > 0, "no copy is mirrored"
    wide = -torch.log1p(one.bend[:, 0])
    assert 0.9 * SIZE < wide.abs().max() <= SIZE + 1e-6
    off = (one.centre[:, 0] - torch.tensor(MIDDLE)).abs()
    assert bool((off <= torch.tensor(PLACES) + 1e-6).all()) and off.max() > 0.08


def test_one_copys_changes_are_repeated():
    drawn = draw_copies(np.random.default_rng(2), 1)
    many = drawn.repeated(5)
    assert all(value.shape[0] == 5 and bool((value == value[:1]).all()) for value in many.plain().values())
    assert set(many.plain("other_")) == {f"other_{key}" for key in many.plain()}
