"""EF regressors: where they start, and what they say of their weights."""

import pytest
import torch

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.ef.models import R2Plus1DEF, make_model


def test_tiny_starts_near_the_mean_ef_from_its_seed_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    model, same, other = (make_model("tiny", {"widths": [4, 8]}, seed).eval() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    clips = torch.randn(2, 3, 8, 112, 112)
    with torch.no_grad():
        found, again, else_ = model(clips), same(clips), other(clips)
    assert found.shape == (2,)
    assert (found - 55.6).abs().max() < 20
    assert torch.equal(found, again)
    assert not torch.equal(found, else_)
    with pytest.raises(EchoAugmentError, match="huge"):
        make_model("huge", {}, 0)


def test_small_is_of_its_size_and_keeps_place_until_time_is_read():
    model = make_model("small", {}, 0).eval()
    assert 0.3e6 < sum(parameter.numel() for parameter in model.parameters()) < 1e6
    clips = torch.zeros(2, 3, 8, 112, 112)
    clips[0, :, ::2, 20:50, 20:50] = clips[1, :, ::2, 60:90, 60:90] = 1.0
    with torch.no_grad():
        found = model(clips)
        assert found.shape == (2,) and (found - 55.6).abs().max() < 30
        assert found[0] != found[1], "the same beat elsewhere"
        assert not [layer for layer in model.modules() if isinstance(layer, torch.nn.AdaptiveAvgPool3d)]
        maps = model.features(torch.nn.functional.avg_pool3d(clips[:, :1], (1, 2, 2)))
        assert maps.shape == (2, 24, 8, 7, 7) and model.places[1].in_channels == 24 * 49
    with pytest.raises(EchoAugmentError, match=r"give model\.settings\.size"):
        model(torch.zeros(1, 3, 8, 64, 64))
    assert make_model("small", {"size": 64, "widths": [8, 8], "kept": 4, "hidden": 16}, 0)(
        torch.zeros(2, 3, 4, 64, 64)
    ).shape == (2,)


def test_small_learns_what_depends_on_the_place_alone():
    torch.manual_seed(0)
    clips, ef = torch.zeros(8, 3, 4, 32, 32), torch.tensor([20.0, 80.0] * 4)
    for item in range(8):
        place = 4 if item % 2 else 20
        clips[item, :, :, place : place + 8, 10:18] = 1
    model = make_model("small", {"size": 32, "widths": [8, 16], "kept": 8, "hidden": 16, "dropout": 0.0}, 0)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = (model(clips) - ef).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


def test_r2plus1d_starts_at_echonet_s_bias_and_says_when_it_has_no_kinetics_weights(monkeypatch):
    model = R2Plus1DEF(weights="random")
    assert float(model.net.fc.bias.detach()) == pytest.approx(55.6)
    assert model.net.fc.out_features == 1
    assert model.note == ""

    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    assert "random weights" in R2Plus1DEF(weights="kinetics").note
