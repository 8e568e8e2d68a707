"""An adversary: neither network learns from the other's loss, and its share follows the gradients."""

import pytest
import torch
from torch import nn

from echo_augment.training_recipes.training.adversary import Contested, PatchDiscriminator, gradient_ratio


@pytest.fixture
def contested():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = Contested(nn.Conv2d(1, 1, 3, padding=1), 1)
        network.adversary = PatchDiscriminator(1, width=4, layers=2)
    return network


def losses(network, weight=0.5):
    images = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    decoded = network.codec(images)
    plain = (decoded - images).abs().mean()
    return network.losses(plain, decoded, images, network.codec.weight, weight), plain


def moved(network, part):
    return {name: value.grad is not None and bool(value.grad.any()) for name, value in part.named_parameters()}


def test_the_codec_learns_to_fool_and_the_adversary_does_not(contested):
    found, _ = losses(contested)
    found["fooled"].backward()
    assert all(moved(contested, contested.codec).values()) and not any(moved(contested, contested.adversary).values())


def test_the_adversary_learns_to_tell_and_the_codec_does_not(contested):
    found, _ = losses(contested)
    found["adversary"].backward()
    assert not any(moved(contested, contested.codec).values()) and any(moved(contested, contested.adversary).values())


def test_both_gradients_are_as_long_at_the_last_layer(contested):
    found, plain = losses(contested, weight=1.0)
    one, two = (
        torch.autograd.grad(loss, contested.codec.weight, retain_graph=True)[0].norm()
        for loss in (plain, found["fooled"])
    )
    assert float(two / one) == pytest.approx(1, rel=0.05)


def test_before_it_begins_it_counts_for_nothing_but_is_in_the_graph(contested):
    found, plain = losses(contested, weight=0.0)
    (plain + found["fooled"] + found["adversary"]).backward()
    assert not any(moved(contested, contested.adversary).values())
    assert all(value.grad is not None for value in contested.adversary.parameters())
    assert float(found["fooled"]) == float(found["adversary"]) == 0


def test_it_learns_to_tell_noise_from_flat_images():
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        network = Contested(nn.Identity(), 1)
        network.adversary = PatchDiscriminator(1, width=8, layers=2)
        optimizer = torch.optim.Adam(network.adversary.parameters(), 2e-3)
        layer = torch.ones(1, requires_grad=True)
        seen = []
        for _ in range(12):
            images, decoded = torch.randn(8, 1, 32, 32), torch.zeros(8, 1, 32, 32) * layer
            found = network.losses(decoded.mean() + layer.sum(), decoded + layer, images, layer, 0.5)
            optimizer.zero_grad()
            found["adversary"].backward()
            optimizer.step()
            seen.append(float(found["adversary"]))
    assert seen[-1] < 0.5 * seen[0]


def test_a_state_holds_how_far_it_is(contested, tmp_path):
    contested.seen = 7
    torch.save(contested.state_dict(), tmp_path / "state")
    other = Contested(nn.Conv2d(1, 1, 3, padding=1), 1)
    other.adversary = PatchDiscriminator(1, width=4, layers=2)
    assert other.seen == 0
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert other.seen == 7 and torch.equal(other.codec.weight, contested.codec.weight)


def test_the_ratio_is_bounded():
    layer = torch.ones(3, requires_grad=True)
    assert float(gradient_ratio((1e9 * layer).sum(), (0 * layer).sum(), layer)) == 1e4
    assert float(gradient_ratio((2 * layer).sum(), layer.sum(), layer)) == pytest.approx(2, rel=1e-3)


def test_the_papers_discriminator_sees_patches_of_70_pixels():
    net = PatchDiscriminator(3)
    reach, stride = 1, 1
    for layer in net.net:
        if isinstance(layer, nn.Conv2d):
            reach, stride = reach + (layer.kernel_size[0] - 1) * stride, stride * layer.stride[0]
    assert reach == 70
