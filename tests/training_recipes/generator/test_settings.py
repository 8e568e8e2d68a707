"""What train-generator may be told: absent settings change nothing, wrong ones are named before any work."""

import pytest
from fakes.generator import compose_job, settings
from hydra.errors import ConfigCompositionException

from echo_augment.cache import EchoAugmentError

LEARNED = ("codec", "latents", "reid", "pseudo", "mafe", "transport", "copies", "denoiser")
MEASURED = (*LEARNED[:5], "motions", "denoiser")


def names(*overrides):
    return tuple(stage.name for stage in settings(*overrides).stages)


def test_absent_settings_change_nothing():
    plain = settings()
    assert plain.last == "denoiser" and plain.trackers == () and plain.batches_a_step == 1
    assert plain.with_losses() == plain.preset


def test_the_stages_are_those_that_the_last_one_and_the_preset_need():
    assert names() == LEARNED
    assert names("preset.code=mafe") == MEASURED
    assert names("preset.transport.flow=teacher") == (*LEARNED[:5], "motions", *LEARNED[5:])
    assert names("only=mafe") == ("reid", "pseudo", "mafe"), "a run for MAFE needs no codec"
    assert names("only=student") == (*LEARNED, "student")
    assert names("only=student", "preset.student.kind=reflow") == (*LEARNED, "couplings", "student")
    assert settings("distil=bundled").last == "student"


@pytest.mark.parametrize("plus", ["", "+"])
def test_what_was_once_given_with_a_plus_still_may_be(plus):
    given = settings(f"{plus}codec=vae", f"{plus}accumulate=4", f"{plus}log=wandb", f"{plus}checkpointing=true")
    assert (given.codec, given.batches_a_step, given.trackers, given.checkpointing) == ("vae", 4, ("wandb",), True)
    assert settings(f"{plus}log=[tensorboard,wandb]").trackers == ("tensorboard", "wandb")
    assert settings(f"{plus}distil=bundled", f"{plus}reuse=x").reuse == "x"
    assert settings(f"{plus}only=mafe", f"{plus}losses=flow").losses == "flow"


@pytest.mark.parametrize(
    ("losses", "weights"),
    [("interp", (0, 0)), ("reid", (0.3, 0)), ("flow", (0, 2.0)), ("both", (0.3, 2.0))],
)
def test_losses_left_out_have_weight_0(losses, weights):
    given = settings(f"losses={losses}", "only=mafe")
    kept = given.with_losses().mafe.losses
    assert (kept.reid, kept.flow) == weights and given.with_losses().mafe.width == 4
    assert (given.preset.mafe.losses.reid, given.preset.mafe.losses.flow) == (0.3, 2.0)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["losses=all"], "losses must be one of interp, reid, flow, both, got 'all'"),
        (["only=vae"], "only must be one of codec, .*, got 'vae'"),
        (["log=[mlflow]"], "log must be one of tensorboard, wandb, got 'mlflow'"),
        (["accumulate=-1"], "accumulate must be a whole number of at least 1, got -1"),
        (["precision=fp8"], "precision must be one of auto, no, fp16, bf16, got 'fp8'"),
        (["distil=bundled", "codec=vae"], "distil=bundled trains a student alone"),
        (["distil=bundled", "losses=flow"], "distil=bundled trains a student alone"),
        (["distil=bundled", "only=mafe"], "distil=bundled trains a student alone"),
        (["only=couplings"], r"only=couplings needs preset\.student\.kind=reflow"),
        (["only=transport", "preset.code=mafe"], r"only=transport needs preset\.code=transport, got 'mafe'"),
    ],
)
def test_a_value_out_of_range_is_named(overrides, message):
    with pytest.raises(EchoAugmentError, match=message):
        settings(*overrides)


def test_a_mistyped_setting_is_refused_by_hydra():
    with pytest.raises(ConfigCompositionException):
        compose_job("out=x", "codc=x")


def test_couplings_are_checked_where_they_are_read():
    assert settings("preset.couplings.clips=0", "preset.student.kind=reflow")
    with pytest.raises(EchoAugmentError, match=r"preset\.couplings\.clips must be a whole number of at least 1, got 0"):
        settings("preset.couplings.clips=0", "preset.student.kind=reflow", "only=student")


@pytest.mark.parametrize(("code", "flow"), [("flow", "mafe"), ("transport", "teacher")])
def test_losses_of_a_mafe_that_no_code_reads_are_refused(code, flow):
    given = [f"preset.code={code}", f"preset.transport.flow={flow}"]
    with pytest.raises(EchoAugmentError, match="losses=interp changes MAFE, which the motion codes of preset tiny"):
        settings(*given, "losses=interp")
    assert settings(*given, "losses=interp", "only=mafe")
    assert settings(*given)


@pytest.mark.parametrize(("code", "flow"), [("mafe", "teacher"), ("transport", "mafe"), ("vector", "teacher")])
def test_losses_of_a_mafe_that_a_code_reads_are_taken(code, flow):
    assert settings(f"preset.code={code}", f"preset.transport.flow={flow}", "losses=interp")
