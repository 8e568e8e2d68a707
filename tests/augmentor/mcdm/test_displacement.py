"""What rides on a displacement goes where it says: images, masks and detail; folds carry nothing."""

import pytest
import torch

from echo_augment.augmentor.mcdm.displacement import (
    blurred,
    carry_detail,
    carry_masks,
    fine_detail,
    inverted,
    jacobian,
    unfolded,
    warped,
)


def places(side):
    ys, xs = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
    return torch.stack([xs, ys]) * 112 / side


def ellipse(x, y, across, along):
    here = places(112)
    return ((here[0] - x) / across) ** 2 + ((here[1] - y) / along) ** 2 <= 1


def overlap(one, other):
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def contraction(factor, x=56.0, y=60.0, side=28):
    """Whence tissue comes that has drawn together about a place by a factor, less and less outside."""
    away = places(side) - torch.tensor([x, y])[:, None, None]
    near = torch.exp(-((away.norm(dim=0) / 45) ** 6))
    return (1 / factor - 1) * away * near


def test_an_image_moves_by_whole_pixels_exactly():
    image = torch.rand(2, 3, 112, 112)
    moves = torch.zeros(2, 2, 28, 28)
    moves[:, 0], moves[:, 1] = 3.0, -2.0
    moved = warped(image, moves, side=112)
    torch.testing.assert_close(moved[:, :, 2:, :-3], image[:, :, :-2, 3:], atol=1e-4, rtol=1e-4)
    small = warped(image[..., ::4, ::4], torch.full((2, 2, 28, 28), 4.0), side=112)
    torch.testing.assert_close(small[:, :, :-1, :-1], image[..., 4::4, 4::4], atol=1e-4, rtol=1e-4)


def test_an_inverted_flow_undoes_it():
    whence = contraction(0.8)[None]
    flow, there = inverted(whence, side=112)
    assert there.float().mean() > 0.99
    back, _ = inverted(flow, side=112)
    assert (back - whence)[..., 3:-3, 3:-3].abs().max() < 0.3
    torch.testing.assert_close(flow[0, :, 14, 2:4], flow[0, :, 14, 2:4])
    still, there = inverted(torch.zeros(1, 2, 28, 28), side=112)
    assert not still.any() and there.all()


def test_a_flow_without_an_inverse_says_so():
    torn = torch.zeros(1, 2, 28, 28)
    torn[:, 0, :, 14:] = 30.0
    assert not inverted(torn, side=112)[1].all()


@pytest.mark.parametrize("factor", [0.9, 0.75, 0.6])
def test_a_mask_rides_on_a_known_contraction(factor):
    masks = ellipse(56, 60, 20, 34)[None]
    moves = torch.stack([torch.zeros(2, 28, 28), contraction(factor)])[None]
    carried = carry_masks(masks, moves)
    assert carried.shape == (1, 2, 112, 112) and carried.dtype == torch.bool
    assert torch.equal(carried[0, 0], masks[0])
    assert overlap(carried[0, 1], ellipse(56, 60, 20 * factor, 34 * factor)) > 0.97


def test_the_jacobian_is_the_change_of_area():
    moves = torch.zeros(1, 2, 28, 28)
    assert (jacobian(moves, side=112) == 1).all()
    moves = 0.25 * (places(28) - 56)[None]
    torch.testing.assert_close(jacobian(moves, side=112)[..., 1:-1, 1:-1], torch.full((1, 1, 26, 26), 1.25**2))
    assert (unfolded(moves, side=112) == 1).all()


def test_folds_carry_no_detail():
    moves = torch.zeros(1, 1, 2, 28, 28)
    moves[0, 0, 0, :, 14:] = -24.0  # what lies right of the middle comes from left of it: tissue shown twice, mirrored
    detail = torch.full((1, 112, 112), 20.0)
    clip = carry_detail(torch.full((1, 1, 112, 112), 100, dtype=torch.uint8), detail, moves)[0, 0]
    share = unfolded(moves[0], side=112)[0, 0]
    assert (share[:, 13:15] == 0).all() and (share[:, :12] == 1).all() and (share[:, 17:] == 1).all()
    assert (clip[:, 54:58] <= 101).all() and (clip[:, :44] == 120).all() and (clip[:, 72:] == 120).all()


def test_detail_is_what_is_finer_than_the_codec():
    generator = torch.Generator().manual_seed(0)
    fine = torch.randint(-20, 20, (1, 112, 112), generator=generator)
    broad = torch.linspace(-30, 30, 112)[None, None].expand(1, 112, 112).round()
    restored = torch.full((1, 112, 112), 120, dtype=torch.uint8)
    found = fine_detail((restored + fine + broad).to(torch.uint8), restored)
    inside = (slice(None), slice(10, -10), slice(10, -10))
    assert (found - fine)[inside].abs().mean() < 3, "fine detail stays, and what the codec has too little of goes"
    flat = blurred(torch.full((1, 1, 40, 40), 7.0))
    torch.testing.assert_close(flat, torch.full((1, 1, 40, 40), 7.0))


def test_detail_stays_with_its_tissue_and_a_still_clip_gets_all_of_it():
    generator = torch.Generator().manual_seed(0)
    detail = torch.randint(-20, 20, (2, 112, 112), generator=generator).float()
    decoded = torch.full((2, 3, 112, 112), 128, dtype=torch.uint8)
    moves = torch.zeros(2, 3, 2, 28, 28)
    moves[1, 2, 1] = 5.0
    clip = carry_detail(decoded, detail, moves).float() - 128
    torch.testing.assert_close(clip[0], detail[:1].expand(3, -1, -1))
    torch.testing.assert_close(clip[1, 2, :-8], detail[1, 5:-3], atol=1.01, rtol=0)
    alone = carry_detail(decoded[1:], detail[1:], moves[1:]).float() - 128
    torch.testing.assert_close(alone[0], clip[1])


def test_gradients_reach_the_displacement():
    moves = (0.1 * torch.randn(1, 2, 28, 28)).requires_grad_()
    warped(torch.rand(1, 1, 56, 56), moves, side=112).pow(2).sum().backward()
    assert moves.grad.abs().min() >= 0 and (moves.grad != 0).float().mean() > 0.9
