"""Every network and step of every preset on a GPU that is not there: nothing meets a tensor of another device.

Forward passes and losses, in float32 and in mixed bfloat16. Backward passes need a real device.
"""

from functools import cache

import pytest
import torch
from fakes.generator import preset
from fakes.gpu import GPU, Built, fake_gpu, grey, mixed, onto, pairs

from echo_augment.training_recipes.ef.models import make_model
from echo_augment.training_recipes.generator.codec import codec_loss
from echo_augment.training_recipes.generator.mafe import mafe_loss
from echo_augment.training_recipes.generator.reid import reid_step
from echo_augment.training_recipes.segmentation.models import make_segmentation_model
from echo_augment.training_recipes.segmentation.training import segmentation_loss

STEPS = (0, 1, 4)
BATCH = 2


@cache
def on_gpu(name):
    return Built(preset(f"preset={name}"))


CASES = [("tiny", False), ("tiny", True), ("base", True), ("paper", True)]
LONG = [("base", False), ("paper", False)]  # nobody trains these in float32


def named(case):
    return f"{case[0]}-{'bf16' if case[1] else 'fp32'}"


MARKED = [pytest.param(case, marks=pytest.mark.slow) for case in LONG]


@pytest.fixture(scope="module", params=[*CASES, *MARKED], ids=named)
def case(request):
    return request.param


@pytest.fixture
def built(case):
    return on_gpu(case[0])


@pytest.fixture
def bf16(case):
    return case[1]


def check(losses: dict[str, torch.Tensor]) -> None:
    assert all(value.device == torch.device(GPU) and value.shape == () for value in losses.values())
    assert losses["loss"].dtype == torch.float32 and losses["loss"].requires_grad


def test_losses_of_the_networks_that_see_frames(built, bf16):
    with built.mode, mixed(bf16):
        nets = built.nets
        check(codec_loss(built.preset.codec)(nets.codec, grey(built, BATCH)))
        check(reid_step(nets.reid, grey(built, BATCH, 2)))
        mafe, batch = pairs(built, BATCH)
        check(mafe_loss(built.preset.mafe.losses)(mafe, batch))


def test_motion_is_read_on_the_gpu(built, bf16):
    with built.mode, mixed(bf16), torch.no_grad():
        first, second = torch.rand(2, BATCH, 1, built.preset.size, built.preset.size, device=GPU)
        assert built.nets.mafe.flow(first, second).device == torch.device(GPU)
        assert built.nets.mafe.motion_vector(first, second, turned=True).device == torch.device(GPU)
        assert built.nets.reid(first).device == torch.device(GPU)


@pytest.mark.parametrize(("name", "settings"), [("tiny", {}), ("r2plus1d_18", {"weights": "random"})])
@pytest.mark.parametrize("half", [False, True])
def test_ef_nets(name, settings, half):
    net = make_model(name, settings, 0)
    with fake_gpu(half) as device:
        onto(net)
        found = net(torch.randn(BATCH, 3, 8, 112, 112, device=device))
        assert found.shape == (BATCH,) and found.device == device


@pytest.mark.parametrize(("name", "settings"), [("unet", {}), ("deeplabv3_resnet50", {"backbone": "random"})])
@pytest.mark.parametrize("half", [False, True])
def test_segmentation_nets(name, settings, half):
    net = make_segmentation_model(name, settings, 0)
    with fake_gpu() as device:
        onto(net)
        frames, masks = torch.randn(BATCH, 3, 112, 112, device=device), torch.zeros(BATCH, 112, 112, device=device)
        with mixed(half):
            losses = segmentation_loss(net, (["a", "b"], (frames, frames, masks, masks)), device, False)
        assert losses["loss"].device == device


def test_two_devices_are_noticed():
    """The fake tensors of these tests refuse what a GPU refuses."""
    with fake_gpu() as device, pytest.raises(RuntimeError, match="same device"):
        torch.ones(2, device=device) + torch.ones(2)
