"""An EF net on a pretrained backbone: what learns, what it is shown, and what the report says of the weights."""

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.ef.backbones import VideoViT
from echo_augment.training_recipes.ef.models import make_model
from echo_augment.training_recipes.ef.pretrained import PretrainedEF
from echo_augment.training_recipes.training.run import hashed_weights
from echo_augment.training_recipes.training.settings import (
    ModelSettings,
    OptimizerSettings,
    ScheduleSettings,
    TrainerSettings,
    recipe_of,
)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    net = VideoViT(width=64, depth=1, places=1 + 49)
    torch.nn.init.normal_(net.cls_token)
    save_file(net.state_dict(), tmp_path / "small.safetensors")
    return str(tmp_path / "small.safetensors")


def learned(train: str, weights: str) -> tuple[PretrainedEF, PretrainedEF]:
    torch.manual_seed(1)
    net = PretrainedEF(layout="discovr", weights=weights, train=train).train()
    before = copy.deepcopy(net)
    optimizer = torch.optim.AdamW([one for one in net.parameters() if one.requires_grad], 1e-2)
    (net(torch.randn(2, 3, 4, 56, 56)) - 30).square().mean().backward()
    optimizer.step()
    return before, net


def test_a_probe_leaves_the_backbone_as_it_was_and_fine_tuning_does_not(weights):
    before, after = learned("probe", weights)
    assert not after.backbone.training and after.head.training
    assert all(
        torch.equal(a, b) for a, b in zip(before.backbone.parameters(), after.backbone.parameters(), strict=True)
    )
    assert not torch.equal(before.head[-1].weight, after.head[-1].weight)
    before, after = learned("all", weights)
    assert after.backbone.training
    assert not torch.equal(before.backbone.norm.weight, after.backbone.norm.weight)


def test_clips_reach_the_backbone_in_its_own_normalisation_and_size(weights):
    net = PretrainedEF(layout="discovr", weights=weights)
    seen = []
    net.backbone.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    net.take_scale([30.0, 31.0, 32.0], [50.0, 50.0, 50.0])
    grey = torch.full((1, 3, 6, 40, 40), 127.5)
    mean = torch.tensor([30.0, 31.0, 32.0]).view(3, 1, 1, 1)
    ef = net.eval()((grey - mean) / 50)
    wanted = (0.5 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert ef.shape == (1,) and seen[0].shape == (1, 3, 2, 112, 112)
    assert torch.allclose(seen[0].mean((0, 2, 3, 4)), wanted, atol=1e-5)
    assert torch.equal(net.state_dict()["grey_std"].flatten(), torch.full((3,), 50.0)), "saved with the net"


def test_the_report_says_what_the_weights_have_seen(weights):
    probe, tuned = (
        make_model("pretrained", {"layout": "discovr", "weights": weights, "train": how}, 0) for how in ("probe", "all")
    )
    assert "small.safetensors" in probe.note and "frozen, with a linear probe" in probe.note
    assert "video alone" in probe.note and "fine-tuned" in tuned.note
    assert PretrainedEF(layout="torchvision:r3d_18", weights="random").note == ""


def test_a_model_without_weights_says_what_to_give():
    with pytest.raises(EchoAugmentError, match=r"pretrained\.weights=FILE"):
        PretrainedEF()
    with pytest.raises(EchoAugmentError, match=r"model\.settings\.train must be one of probe, all"):
        PretrainedEF(layout="discovr", weights="random", train="some")


def test_a_training_is_known_by_the_weights_and_not_by_their_place(weights, tmp_path):
    other = tmp_path / "elsewhere.safetensors"
    other.write_bytes(Path(weights).read_bytes())
    one, same = (
        hashed_weights({"weights": weights, "layout": "discovr"}),
        hashed_weights({"weights": str(other), "layout": "discovr"}),
    )
    assert one == same and one["weights"] != weights
    other.write_bytes(b"x")
    assert hashed_weights({"weights": str(other), "layout": "discovr"}) != one
    assert hashed_weights({"weights": "kinetics"}) == {"weights": "kinetics"}


def test_an_arm_has_a_network_and_a_rate_of_its_own():
    model = ModelSettings(name="tiny", settings={"widths": [4]})
    optimizer = OptimizerSettings(name="sgd", lr=0.1, momentum=0.9)
    trainer = TrainerSettings(
        steps=5,
        batch_size=4,
        optimizer=optimizer,
        schedule=ScheduleSettings(name="cosine", warmup=1),
        clip_norm=0,
        stats_clips=2,
    )
    assert recipe_of({}, model, trainer) == (model, trainer)
    spec = {
        "model": {"name": "pretrained", "settings": {"layout": "discovr"}},
        "trainer": {"optimizer": {"name": "adamw", "lr": 0.01}},
    }
    own, recipe = recipe_of(spec, model, trainer)
    assert (own.name, own.settings) == ("pretrained", {"layout": "discovr"})
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.optimizer.momentum) == ("adamw", 0.01, None)
    assert (recipe.steps, recipe.batch_size) == (5, 4)
    with pytest.raises(EchoAugmentError, match="rate"):
        recipe_of({"trainer": {"rate": 1}}, model, trainer)
