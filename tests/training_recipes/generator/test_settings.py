"""Options beyond the preset: absent ones change nothing, wrong ones are named, losses are ablated by their weights."""

import pytest
import torch
from omegaconf import OmegaConf

from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.generator.denoiser import denoising_loss
from echo_augment.training_recipes.generator.settings import Options, ablate, check_stages, command_line, read_options


def coded(code, flow="teacher", kind="consistency"):
    """A preset with its motion codes and its student."""
    couplings = {"clips": 2, "batch": 1, "steps": 1}
    preset = {"name": "p", "code": code, "transport": {"flow": flow}, "couplings": couplings, "student": {"kind": kind}}
    return OmegaConf.create(preset)


PRESET = OmegaConf.create({"mafe": {"losses": {"reid": 0.3, "flow": 2.0}, "width": 8}})


def test_absent_options_leave_the_runs_settings_alone():
    for cfg in ({}, {"codec": None, "losses": None, "only": None, "log": None, "accumulate": None}):
        options = read_options(OmegaConf.create(cfg))
        assert options == Options() and options.settings() == {} and command_line(options) == ""
    assert options.stages(coded("mafe")) == ("codec", "latents", "reid", "pseudo", "mafe", "motions", "denoiser")
    learned = ("codec", "latents", "reid", "pseudo", "mafe", "motions", "transport", "denoiser")
    assert options.stages(coded("transport")) == learned
    assert Options(only="student").stages(coded("transport")) == (*learned, "student")
    assert Options(only="student").stages(coded("transport", kind="reflow")) == (*learned, "couplings", "student")
    assert ablate(PRESET, None) is PRESET


@pytest.mark.parametrize(
    ("losses", "weights"),
    [("interp", (0, 0)), ("reid", (0.3, 0)), ("flow", (0, 2.0)), ("both", (0.3, 2.0))],
)
def test_an_ablation_zeroes_the_losses_left_out(losses, weights):
    changed = ablate(PRESET, losses)
    assert (changed.mafe.losses.reid, changed.mafe.losses.flow) == weights and changed.mafe.width == 8
    assert PRESET.mafe.losses == {"reid": 0.3, "flow": 2.0}


def test_a_run_for_mafe_needs_no_codec():
    assert read_options(OmegaConf.create({"only": "mafe"})).stages(coded("mafe")) == ("reid", "pseudo", "mafe")


def test_what_changes_the_weights_is_told():
    options = read_options(
        OmegaConf.create({"codec": "hub:a/b/vae", "losses": "flow", "accumulate": 4, "log": "wandb"})
    )
    assert options.settings() == {"accumulate": 4} and options.log == ("wandb",)
    assert command_line(options) == " +codec=hub:a/b/vae +losses=flow +accumulate=4"
    assert command_line(Options(codec="my-vae"), "reflow") == " +codec=FOLDER"
    assert command_line(Options(only="student"), "reflow") == " +only=student preset.student.kind=reflow"
    assert command_line(read_options(OmegaConf.create({"distil": "bundled"}))) == " +distil=bundled"
    assert command_line(read_options(OmegaConf.create({"distil": "my-generator"}))) == " +distil=GENERATOR"
    assert command_line(read_options(OmegaConf.create({"distil": "owner/name"}))) == " +distil=owner/name"


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"losses": "all"}, "losses must be one of interp, reid, flow, both, got 'all'"),
        ({"only": "vae"}, "only must be one of codec, .*, got 'vae'"),
        ({"log": ["mlflow"]}, "log must be one of tensorboard, wandb, got 'mlflow'"),
        ({"accumulate": -1}, "accumulate must be at least 1, got -1"),
        ({"distil": "bundled", "codec": "vae"}, "distil=bundled trains a student alone"),
        ({"distil": "bundled", "losses": "flow"}, "distil=bundled trains a student alone"),
        ({"distil": "bundled", "only": "mafe"}, "distil=bundled trains a student alone"),
    ],
)
def test_wrong_values_are_named(cfg, message):
    with pytest.raises(EchoAugmentError, match=message):
        read_options(OmegaConf.create(cfg))


def test_a_run_that_would_not_do_what_it_is_asked_for_is_refused():
    with pytest.raises(EchoAugmentError, match=r"preset\.student\.kind must be one of consistency, reflow, got 'gan'"):
        check_stages(coded("mafe", kind="gan"), Options())
    with pytest.raises(EchoAugmentError, match=r"only=couplings needs preset\.student\.kind=reflow"):
        check_stages(coded("mafe"), Options(only="couplings"))
    none = coded("mafe", kind="reflow")
    none.couplings.clips = 0
    check_stages(none, Options())
    with pytest.raises(EchoAugmentError, match=r"preset\.couplings\.clips must be at least 1, got 0"):
        check_stages(none, Options(only="student"))
    with pytest.raises(EchoAugmentError, match=r"only=transport needs preset\.code=transport, got 'mafe'"):
        check_stages(coded("mafe", "mafe"), Options(only="transport"))
    for code, flow in (("flow", "mafe"), ("transport", "teacher")):
        with pytest.raises(EchoAugmentError, match="losses=interp changes MAFE, which the motion codes of preset p"):
            check_stages(coded(code, flow), Options(losses="interp"))
        check_stages(coded(code, flow), Options(losses="interp", only="mafe"))
        check_stages(coded(code, flow), Options())
    for code, flow in (("mafe", "teacher"), ("transport", "mafe"), ("vector", "teacher")):
        check_stages(coded(code, flow), Options(losses="interp"))


@pytest.mark.parametrize("motion", ["frame", "vector"])
def test_checkpointing_changes_no_gradient(motion):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        denoiser = MotionDenoiser(
            (32, 32), (False, True), (2, 2), 1, motion=motion, code_size=10, cross_attention_dim=10
        ).train()
        batch = {
            "latents": torch.randn(2, 4, 4, 8, 8),
            "reference": torch.randn(2, 4, 8, 8),
            "motion": torch.randn(2, 4 if motion == "frame" else 1, 10),
            "there": torch.ones(2, 4, dtype=torch.bool),
        }
        gradients = []
        for again in (False, True):
            if again:
                denoiser.enable_gradient_checkpointing()
            torch.manual_seed(1)
            denoiser.zero_grad()
            denoising_loss(0.1, 0.1)(denoiser, batch)["loss"].backward()
            gradients.append({k: p.grad.clone() for k, p in denoiser.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 20
    for key, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], value, atol=1e-5, rtol=1e-4)
