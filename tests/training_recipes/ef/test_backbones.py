"""Backbones of others: random weights, saved in each published layout, are read back into the right places."""

import argparse

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.ef.backbones import (
    LAYOUTS,
    FramesInTime,
    VideoViT,
    below,
    load_backbone,
    read_state,
)


def same(net: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    own = net.state_dict()
    return set(own) == set(state) and all(torch.equal(own[name], state[name]) for name in own)


def test_kinetics_weights_come_as_torchvision_saves_them(tmp_path):
    torch.manual_seed(0)
    state = models.video.r2plus1d_18(weights=None).state_dict()
    torch.save(state, tmp_path / "r2plus1d.pth")
    found = load_backbone("r2plus1d_18", str(tmp_path / "r2plus1d.pth"))
    assert same(found.net, {name: value for name, value in state.items() if not name.startswith("fc.")})
    assert (found.width, found.frames, found.size) == (512, None, 112) and "no echocardiogram" in found.seen
    with torch.no_grad():
        assert found.net.eval()(torch.zeros(1, 3, 4, 32, 32)).shape == (1, 512)


def test_panecho_weights_come_whole_or_as_backbone(tmp_path):
    torch.manual_seed(0)
    state = FramesInTime().state_dict()
    assert {"encoder.model.features.0.0.weight", "transformer.layers.3.linear2.bias", "time_encoder.pe"} <= set(state)
    heads = {"EF_head.1.weight": torch.zeros(1, 768), "EF_head.1.bias": torch.zeros(1)}
    whole = {f"encoder.{name}": value for name, value in state.items()} | heads
    torch.save({"weights": whole, "epoch": 7}, tmp_path / "panecho.pt")
    save_file(state, tmp_path / "backbone.safetensors")
    for name in ("panecho.pt", "backbone.safetensors"):
        found = load_backbone("panecho", str(tmp_path / name))
        assert same(found.net, state) and (found.width, found.frames, found.size) == (768, 16, 224)
    assert "EF and 38 other labels" in found.seen
    with torch.no_grad():
        clips = torch.rand(1, 3, 3, 32, 32)
        features = found.net.eval()(clips)
        assert features.shape == (1, 768)
        each = found.net.encoder["model"](clips.transpose(1, 2).flatten(0, 1))
        assert torch.allclose(features, found.net.transformer(each[None] + 0).mean(1), atol=1e-5), (
            "places in time are 0"
        )


def test_echoprime_weights_are_an_mvit_with_an_embedding(tmp_path):
    torch.manual_seed(0)
    net = models.video.mvit_v2_s(weights=None)
    net.head[-1] = nn.Linear(768, 512)
    torch.save(net.state_dict(), tmp_path / "echo_prime_encoder.pt")
    found = load_backbone("echoprime", str(tmp_path / "echo_prime_encoder.pt"))
    assert same(found.net, net.state_dict()) and (found.width, found.frames, found.size) == (512, 16, 224)
    assert "reports" in found.seen


@pytest.mark.slow
def test_echoprime_makes_features_of_sixteen_frames():
    with torch.no_grad():
        assert load_backbone("echoprime", "random").net.eval()(torch.zeros(1, 3, 16, 224, 224)).shape == (1, 512)


@pytest.mark.parametrize("bias", [False, True])
def test_discovr_weights_are_those_of_its_video_teacher(tmp_path, bias):
    torch.manual_seed(0)
    places = 1 + 2 * 7 * 7
    net = VideoViT(width=128, depth=2, places=places, bias=bias)
    nn.init.normal_(net.pos_embed)
    state = net.state_dict()
    assert {"patch_embed.proj.weight", "blocks.1.attn.qkv.weight", "blocks.0.mlp.fc1.bias", "norm.bias"} <= set(state)
    saved = {f"module.video_teacher.{name}": value for name, value in state.items()}
    saved |= {f"module.encoder.{name}": value + 1 for name, value in state.items()} | {
        "module.decoder.x": torch.zeros(1)
    }
    torch.save({"model": saved, "args": argparse.Namespace(lr=1.0)}, tmp_path / "checkpoint.pth")
    found = load_backbone("discovr", str(tmp_path / "checkpoint.pth"))
    assert same(found.net, state) and (found.width, found.frames, found.size) == (128, 4, 112)
    assert "video alone" in found.seen
    with torch.no_grad():
        features = found.net.eval()(torch.rand(2, 3, 4, 112, 112))
        assert features.shape == (2, 128) and torch.allclose(features.mean(1), torch.zeros(2), atol=1e-5)


def test_a_block_mixes_tokens_as_attention_does():
    torch.manual_seed(0)
    block = VideoViT(width=128, depth=1, places=1, bias=True).blocks[0]
    nn.init.normal_(block.attn.q_bias)
    nn.init.normal_(block.attn.v_bias)
    tokens = torch.randn(2, 5, 128)
    reference = nn.MultiheadAttention(128, 2, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(block.attn["qkv"].weight)
        reference.in_proj_bias.copy_(torch.cat([block.attn.q_bias, torch.zeros(128), block.attn.v_bias]))
        reference.out_proj.load_state_dict(block.attn["proj"].state_dict())
        shown = block.norm1(tokens)
        mixed = tokens + reference(shown, shown, shown)[0]
        wanted = mixed + block.mlp["fc2"](torch.nn.functional.gelu(block.mlp["fc1"](block.norm2(mixed))))
        assert torch.allclose(block(tokens), wanted, atol=1e-4)


def test_any_of_torchvision_s_video_networks_by_name(tmp_path):
    state = models.video.r3d_18(weights=None).state_dict()
    save_file(state, tmp_path / "r3d.safetensors")
    found = load_backbone("torchvision:r3d_18", str(tmp_path / "r3d.safetensors"))
    assert same(found.net, {name: value for name, value in state.items() if not name.startswith("fc.")})
    with pytest.raises(EchoAugmentError, match=r"no video network 'r4d'.*r3d_18"):
        load_backbone("torchvision:r4d", "random")
    with pytest.raises(EchoAugmentError, match="s3d is not linear"):
        load_backbone("torchvision:s3d", "random")


def test_what_does_not_fit_is_named(tmp_path):
    with pytest.raises(EchoAugmentError, match="layout of pretrained weights 'other'"):
        load_backbone("other", "random")
    with pytest.raises(EchoAugmentError, match="no such file of weights"):
        load_backbone("panecho", str(tmp_path / "nowhere.pt"))
    save_file({"fc.weight": torch.zeros(1)}, tmp_path / "few.safetensors")
    for layout, said in (
        ("r2plus1d_18", "do not have the layout torchvision:r2plus1d_18"),
        ("discovr", "layout discovr"),
    ):
        with pytest.raises(EchoAugmentError, match=rf"few.safetensors: .*{said}"):
            load_backbone(layout, str(tmp_path / "few.safetensors"))
    torch.save({"code": print}, tmp_path / "code.pt")
    with pytest.raises(EchoAugmentError, match="cannot be read as weights"):
        read_state(tmp_path / "code.pt")
    torch.save(torch.zeros(3), tmp_path / "bare.pt")
    with pytest.raises(EchoAugmentError, match=r"bare.pt: holds a Tensor and no weights"):
        read_state(tmp_path / "bare.pt")
    torch.save({"epoch": 1}, tmp_path / "none.pt")
    with pytest.raises(EchoAugmentError, match="holds no weights"):
        read_state(tmp_path / "none.pt")


def test_weights_are_found_under_their_prefix():
    state = {"a.x": torch.zeros(1), "b.y": torch.ones(1)}
    assert set(below(state, "c.", "b.")) == {"y"} and set(below(state, "c.")) == set(state)
    assert set(LAYOUTS) == {"r2plus1d_18", "panecho", "discovr", "echoprime"}
