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


def test_r2plus1d_starts_at_echonet_s_bias_and_says_when_it_has_no_kinetics_weights(monkeypatch):
    model = R2Plus1DEF(weights="random")
    assert float(model.net.fc.bias.detach()) == pytest.approx(55.6)
    assert model.net.fc.out_features == 1
    assert model.note == ""

    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    assert "random weights" in R2Plus1DEF(weights="kinetics").note
