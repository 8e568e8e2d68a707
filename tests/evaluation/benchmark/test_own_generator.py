"""The generator that a benchmark trains where it is given none: how its training is configured."""

import pytest
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark import own_generator
from echo_augment.evaluation.benchmark.own_generator import configure

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


class Pool:
    """Runs nothing, and says what it was given."""

    def __init__(self, *_, **__):
        self.jobs = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def submit(self, job, cfg):
        self.jobs.append((job, cfg))
        return self

    def result(self):
        assert len(self.jobs) == 1


def test_a_student_is_the_generator_where_one_is_distilled_and_a_part_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(own_generator, "ProcessPoolExecutor", Pool)

    def made_by(*train):
        return own_generator.own_generator(SETTINGS | {"generator": {"train": list(train)}}, tmp_path, tmp_path)

    assert made_by("preset=base") == tmp_path / "generator" / "generator"
    assert made_by("preset=tiny", "+distil=bundled") == tmp_path / "generator" / "generator-student"
    with pytest.raises(EchoAugmentError, match="only=mafe makes no generator"):
        made_by("preset=tiny", "+only=mafe")
