"""The backbone's levels, and its fresh weights."""

import torch
from torch import nn

from echo_augment.augmentor.mcdm.mafe.backbone import Backbone, CrossScaleEmbedding, initialise


def backbone(frame: int = 1, depths: tuple[int, ...] = (1, 2, 1, 2, 1)) -> Backbone:
    return Backbone(frame, [4, 8, 16, 32, 64], depths, (1, 2), 112, 7).eval()


def test_levels_halve_and_double():
    with torch.no_grad():
        pyramid, values, motions = backbone(3)(torch.rand(2, 3, 112, 112), torch.rand(2, 3, 112, 112))
    assert [tuple(x.shape) for x in pyramid] == [(4, 4, 112, 112), (4, 8, 56, 56), (4, 16, 28, 28)]
    assert [tuple(x.shape) for x in values] == [(4, 32, 14, 14), (4, 64, 7, 7)]
    assert [tuple(x.shape) for x in motions] == [tuple(x.shape) for x in values]


def test_the_strided_convolution_comes_on_top_of_a_levels_depth():
    convolutions = [sum(isinstance(part, nn.Conv2d) for part in level.modules()) for level in backbone().pyramid]
    assert convolutions == [1, 3, 2]


def test_every_scale_reaches_the_embedding():
    embedding = CrossScaleEmbedding([4, 8, 16], 32).eval()
    pyramid = [torch.rand(1, 4, 56, 56), torch.rand(1, 8, 28, 28), torch.rand(1, 16, 14, 14)]
    assert [[look.dilation[0] for look in looks] for looks in embedding.looks] == [[1], [1, 2], [1, 2, 3, 4]]
    with torch.no_grad():
        before = embedding(pyramid)
        assert before.shape == (1, 7, 7, 32)
        for level in range(3):
            changed = [x + (place == level) * torch.rand_like(x) for place, x in enumerate(pyramid)]
            assert not torch.equal(embedding(changed), before)


def test_fresh_weights_keep_the_size_of_what_leaves_a_convolution():
    layer, wide = nn.Linear(256, 256), nn.Conv2d(64, 64, 3, groups=64)
    for module in (layer, wide):
        initialise(module)
        assert not module.bias.any()
    assert abs(layer.weight.detach().std().item() - 0.02) < 1e-3
    assert abs(wide.weight.detach().std().item() - (2 / 9) ** 0.5) < 0.06
