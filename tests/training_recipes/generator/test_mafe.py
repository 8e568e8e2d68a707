"""What MAFE's losses ask for."""

import torch

from echo_augment.training_recipes.generator.mafe import flow_loss, laplacian_loss, laplacian_pyramid, reid_loss


def test_laplacian_pyramid_adds_up_and_loss_is_zero_for_equals():
    image = torch.rand(2, 1, 112, 112)
    bands = laplacian_pyramid(image)
    assert [band.shape[-1] for band in bands] == [112, 56, 28, 14]
    assert laplacian_loss(image, image) == 0
    assert laplacian_loss(image, image.flip(-1)) > laplacian_loss(image, image * 0.99 + 0.005)


def test_flow_loss_ignores_the_size_of_the_motion():
    flow = torch.randn(2, 2, 28, 28)
    assert flow_loss(flow, flow) == 0
    torch.testing.assert_close(flow_loss(0 * flow, flow), flow_loss(0 * flow, 5 * flow))


def test_the_reid_loss_sees_direction_only():
    one, two = torch.randn(2, 2, 8), torch.randn(2, 2, 8)
    torch.testing.assert_close(reid_loss(one, two), reid_loss(3 * one, two))
    assert reid_loss(one, one) < 1e-6
