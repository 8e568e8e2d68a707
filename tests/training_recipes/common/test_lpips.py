"""LPIPS equals two other implementations on the same weights, and tells which file is wrong."""

import lpips
import pytest
import torch
from fakes.lpips import random_weights, write_lpips
from torch import nn
from torchmetrics.functional.image.lpips import _LPIPS

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.lpips import LPIPS, load_lpips


def images(seed: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(2, channels, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def theirs(package: str, net: str) -> nn.Module:
    """Return the distance of another package with the same random weights."""
    with torch.random.fork_rng([]):
        if package == "lpips":
            model: nn.Module = lpips.LPIPS(pretrained=False, net=net, pnet_rand=True, verbose=False)
        else:
            model = _LPIPS(pretrained=False, net=net, pnet_rand=True)
    backbone, heads = random_weights(net)
    slices = {name.split(".")[-2]: name for name in model.state_dict() if name.startswith("net.slice")}
    for name, value in backbone.items():
        _, place, kind = name.split(".")
        target = slices[place].rsplit(".", 1)[0]
        dict(model.named_parameters())[f"{target}.{kind}"].data.copy_(value)
    for name, value in heads.items():
        dict(model.named_parameters(remove_duplicate=False))[name].data.copy_(value)
    return model.eval()


@pytest.mark.parametrize("package", ["lpips", "torchmetrics"])
@pytest.mark.parametrize("net", ["vgg", "alex"])
def test_it_equals_two_other_implementations(tmp_path, net, package):
    model = load_lpips(write_lpips(tmp_path, net), net)
    found, wanted = model(images(1), images(2)), theirs(package, net)(images(1), images(2)).flatten()
    assert found.shape == (2,) and (found > 0.1).all()
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=0)


def test_gray_images_count_as_three_equal_channels_and_equal_ones_are_at_no_distance(tmp_path):
    model = load_lpips(write_lpips(tmp_path))
    gray, other = images(1, 1), images(2, 1)
    assert torch.equal(model(gray, other), model(gray.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)))
    assert not model(gray, gray).any()


def test_gradients_reach_the_images_and_no_weight(tmp_path):
    model = load_lpips(write_lpips(tmp_path))
    decoded = images(1).requires_grad_()
    model(decoded, images(2)).sum().backward()
    assert decoded.grad is not None and decoded.grad.isfinite().all() and decoded.grad.any()
    same = images(1).requires_grad_()
    model(same, images(1)).sum().backward()
    assert same.grad is not None and same.grad.isfinite().all(), "a distance of 0 has a gradient, too"
    assert all(parameter.grad is None for parameter in model.parameters())


def test_no_random_number_is_drawn():
    torch.manual_seed(3)
    LPIPS("alex")
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))


def test_a_missing_or_wrong_file_is_named(tmp_path):
    with pytest.raises(EchoAugmentError, match=r"vgg16-397923af\.pth: there is no such file.*torchvision"):
        load_lpips(tmp_path)
    write_lpips(tmp_path)
    backbone, heads = random_weights("vgg")
    del backbone["features.5.weight"]
    torch.save(backbone, tmp_path / "vgg16-397923af.pth")
    with pytest.raises(EchoAugmentError, match=r"vgg16-397923af\.pth: the weight features\.5\.weight is missing"):
        load_lpips(tmp_path)
    write_lpips(tmp_path)
    torch.save({**heads, "lin2.model.1.weight": torch.zeros(1, 3, 1, 1)}, tmp_path / "vgg.pth")
    with pytest.raises(EchoAugmentError, match=r"vgg\.pth: the weight lin2\.model\.1\.weight is \(1, 3, 1, 1\)"):
        load_lpips(tmp_path)
    (tmp_path / "vgg.pth").write_bytes(b"nothing")
    with pytest.raises(EchoAugmentError, match=r"vgg\.pth: is no checkpoint of tensors"):
        load_lpips(tmp_path)
    with pytest.raises(EchoAugmentError, match="net"):
        load_lpips(tmp_path, "squeeze")
