"""Segmenters: logits of the frames' size, weights from the seed alone, settings that do not fit named."""

import pytest
import torch

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.segmentation.models import make_segmentation_model


def test_models_map_frames_to_logits_and_start_from_their_seed_alone():
    before = torch.random.get_rng_state()
    one, same, other = (make_segmentation_model("unet", {"widths": [4, 8]}, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    frames = torch.randn(2, 3, 50, 70)
    with torch.no_grad():
        assert one(frames).shape == (2, 50, 70)
        assert torch.equal(one(frames), same(frames))
        assert not torch.equal(one(frames), other(frames))
        assert make_segmentation_model("deeplabv3_resnet50", {}, 0).eval()(frames[:1]).shape == (1, 50, 70)
    for name, settings, message in (
        ("huge", {}, "huge"),
        ("unet", {"widths": [5]}, r"\[5\]"),
        ("deeplabv3_resnet50", {"backbone": "best"}, "best"),
    ):
        with pytest.raises(EchoAugmentError, match=message):
            make_segmentation_model(name, settings, 0)


def test_a_backbone_that_cannot_be_had_is_noted(monkeypatch):
    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    assert "random weights" in make_segmentation_model("deeplabv3_resnet50", {"backbone": "imagenet"}, 0).note


def test_a_u_net_sees_grey_alone_and_can_learn_a_mask():
    net = make_segmentation_model("unet", {"widths": [4, 8]}, 0)
    grey = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(net(grey), net(grey.expand(-1, 3, -1, -1)))
    mask = torch.zeros(2, 32, 32)
    mask[:, 8:24, 8:24] = 1
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(grey + mask[:, None]), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
