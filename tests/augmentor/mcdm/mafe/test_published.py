"""Every weight has a name in EMA-VFI's checkpoints, and a checkpoint that does not fit is refused."""

import pytest
import torch

from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.mafe.published import load_published, published_name
from echo_augment.cache import EchoAugmentError


@pytest.fixture(scope="module")
def mafe() -> MAFE:
    return MAFE(4, (1, 1, 1, 2, 2), (1, 2), channels=3)


@pytest.fixture
def checkpoint(mafe) -> dict[str, torch.Tensor]:
    """Random weights by the names of a checkpoint that several processes trained, and a mask that it holds, too."""
    weights = {f"module.{published_name(name)}": torch.randn(value.shape) for name, value in mafe.state_dict().items()}
    return weights | {"module.feature_bone.block4.1.attn_mask": torch.zeros(4, 49, 49)}


def test_no_two_weights_have_one_name(mafe):
    names = [published_name(name) for name in mafe.state_dict()]
    assert len(set(names)) == len(names)
    assert {name.split(".")[0] for name in names} == {"feature_bone", "block", "unet"}


def test_a_checkpoint_is_loaded(mafe, checkpoint):
    load_published(mafe, checkpoint)
    for name, value in mafe.state_dict().items():
        assert torch.equal(value, checkpoint[f"module.{published_name(name)}"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("module.unet.conv.weight"), r"unet\.conv\.weight is missing \(1 in all\)"),
        (lambda weights: weights.update({"module.other": torch.zeros(1)}), "other is not known"),
        (
            lambda weights: weights.update({"module.unet.conv.bias": torch.zeros(1)}),
            r"unet\.conv\.bias has shape \(1,\), not \(3,\)",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(mafe, checkpoint, change, message):
    change(checkpoint)
    with pytest.raises(EchoAugmentError, match=message):
        load_published(mafe, checkpoint)
