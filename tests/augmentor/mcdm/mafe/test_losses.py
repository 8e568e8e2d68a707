"""What MAFE's losses ask for."""

import pytest
import torch

from echo_augment.augmentor.mcdm.mafe.losses import bands, blur, flow_loss, laplacian_loss, reid_loss
from echo_augment.cache import EchoAugmentError


def test_bands_halve_and_hold_no_mean():
    image = torch.rand(2, 1, 112, 112)
    assert [band.shape[-1] for band in bands(image)] == [112, 56, 28, 14]
    assert max(float(band.abs().max()) for band in bands(torch.full((1, 1, 112, 112), 0.7))) < 1e-5
    torch.testing.assert_close(blur(torch.ones(1, 2, 16, 16)), torch.ones(1, 2, 16, 16))


def test_the_laplacian_loss_ignores_an_offset_and_sees_structure():
    image = torch.rand(2, 1, 112, 112)
    assert laplacian_loss(image, image) == 0 and laplacian_loss(image, image + 0.1) < 1e-5
    assert laplacian_loss(image, image.flip(-1)) > 10 * laplacian_loss(image, image * 0.99)
    levels = [(one - two).abs().mean() for one, two in zip(bands(image), bands(image.flip(-1)), strict=True)]
    assert laplacian_loss(image, image.flip(-1)) == pytest.approx(float(sum(levels)), rel=1e-6)


def test_flow_loss_by_the_size_of_the_motion_or_in_pixels():
    flow = torch.randn(2, 4, 28, 28)
    assert flow_loss(flow, flow) == 0
    torch.testing.assert_close(flow_loss(0 * flow, flow), flow_loss(0 * flow, 5 * flow))
    torch.testing.assert_close(5 * flow_loss(0 * flow, flow, unit=False), flow_loss(0 * flow, 5 * flow, unit=False))


def test_forms_of_the_reid_loss():
    one, two = torch.randn(2, 2, 8), torch.randn(2, 2, 8)
    torch.testing.assert_close(reid_loss(one, two), reid_loss(3 * one, two))
    torch.testing.assert_close(reid_loss(one, two), 2 * reid_loss(one, two, distance="cosine"))
    assert reid_loss(one, one) < 1e-6 and reid_loss(one, one, distance="cosine") < 1e-6
    assert reid_loss(3 * one, one, unit=False) > 1
    with pytest.raises(EchoAugmentError, match="distance must be one of squared, cosine, got 'l1'"):
        reid_loss(one, two, distance="l1")
