"""The refinement sees features where the flows move them, and changes a pixel by no more than its range."""

import torch

from echo_augment.augmentor.mcdm.mafe.refinement import Refinement, warp_features


def test_features_move_by_the_flow_of_their_own_scale():
    fine, coarse = torch.zeros(2, 1, 16, 16), torch.zeros(2, 1, 8, 8)
    fine[0, 0, 8, 8] = coarse[0, 0, 4, 4] = 1  # of the first frame
    fine[1, 0, 2, 2] = coarse[1, 0, 1, 1] = 1  # of the second
    flows = torch.zeros(1, 4, 16, 16)
    flows[:, 0], flows[:, 3] = 4.0, -2.0
    found = warp_features([fine, coarse], flows)
    assert [tuple(x.shape) for x in found] == [(1, 2, 16, 16), (1, 2, 8, 8)]
    assert found[0][0, 0, 8, 4] > 0.99 and found[0][0, 1, 4, 2] > 0.99
    assert found[1][0, 0, 4, 2] > 0.99 and found[1][0, 1, 2, 1] > 0.99


def test_every_level_counts_and_the_correction_is_bounded():
    net = Refinement(1, 4).eval()
    images = torch.rand(1, 9, 112, 112)
    features = [torch.rand(1, 8 * 2**level, 112 // 2**level, 112 // 2**level) for level in range(5)]
    with torch.no_grad():
        before = net(images, features)
        assert before.shape == (1, 1, 112, 112) and before.abs().max() <= 1
        for level in range(5):
            changed = [x + (place == level) for place, x in enumerate(features)]
            assert not torch.equal(net(images, changed), before)
        torch.nn.init.constant_(net.leave.bias, -1e4)
        assert torch.equal(net(images, features), torch.full((1, 1, 112, 112), -1.0))
