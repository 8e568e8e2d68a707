"""The generator that a benchmark trains where it is given none: how its training is configured."""

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra

from echo_augment.evaluation.own_generator import configure

SETTINGS = {"seed": 3, "device": "cpu", "generator": {"train": ["preset=base", "+checkpointing=true"]}}


def test_it_is_configured_inside_a_running_job_which_keeps_its_hydra(tmp_path):
    """As ``echo-augment benchmark`` calls it: Hydra has one global instance, and the job's is there already."""
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        job = GlobalHydra.instance().hydra
        cfg = configure(SETTINGS, tmp_path / "data", tmp_path / "out")
        assert GlobalHydra.instance().hydra is job
        assert compose("benchmark", ["out=y"]).out == "y"
    assert (cfg.preset.name, cfg.checkpointing, cfg.seed, cfg.device) == ("base", True, 3, "cpu")
    assert (cfg.data.root, cfg.out) == (str(tmp_path / "data"), str(tmp_path / "out"))


def test_and_outside_of_one(tmp_path):
    assert configure(SETTINGS, tmp_path, tmp_path).preset.name == "base"
    assert not GlobalHydra.instance().is_initialized()
