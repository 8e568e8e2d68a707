"""The fidelity job refuses first what it would need late; its report has the published keys (tests/golden)."""

import pytest
from hydra import compose, initialize_config_module

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.fidelity import job as fidelity


@pytest.mark.parametrize("key", ["training", "data.root", "segmenter"])
def test_a_folder_that_is_needed_late_is_looked_at_first(tmp_path, monkeypatch, key):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(fidelity, "get_reader", lambda *_, **__: pytest.fail("minutes of work begun"))
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("fidelity", overrides=[f"out={tmp_path / 'out'}", f"{key}={tmp_path / 'empty'}"])
    with pytest.raises(EchoAugmentError, match=str(tmp_path / "empty")):
        fidelity.run(cfg)


@pytest.mark.parametrize("setting", ["sampler=ddpm", "guidance=[1,2]"])
def test_what_a_residual_denoiser_cannot_do_is_refused_before_anything_is_measured(tmp_path, monkeypatch, setting):
    monkeypatch.setattr(fidelity, "get_reader", lambda *_, **__: pytest.fail("minutes of work begun"))
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("fidelity", overrides=[f"out={tmp_path / 'out'}", "pairs=8", setting])
    with pytest.raises(EchoAugmentError, match="not for a residual denoiser"):
        fidelity.run(cfg)


@pytest.mark.parametrize("setting", ["steps=0", "curve=[1,0]"])
def test_too_few_steps_for_the_generator_are_refused_before_anything_is_measured(tmp_path, monkeypatch, setting):
    monkeypatch.setattr(fidelity, "get_reader", lambda *_, **__: pytest.fail("minutes of work begun"))
    monkeypatch.setattr(fidelity.MCDMPipeline, "least_steps", 1)
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("fidelity", overrides=[f"out={tmp_path / 'out'}", setting])
    with pytest.raises(EchoAugmentError, match=r"0.*generator bundled takes 1 or more"):
        fidelity.run(cfg)
