"""The generator that a benchmark trains if it is given none: how its training is configured, and that it is used."""

import shutil
from dataclasses import replace

import pytest
from fakes.benchmark import configure as settings_of
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra

from echo_augment.augmentor.data import read_table, read_video
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark import own_generator
from echo_augment.evaluation.benchmark.own_generator import configure, join_training_videos
from echo_augment.evaluation.benchmark.settings import BenchmarkSettings


def untrained(*train: str) -> BenchmarkSettings:
    settings = settings_of("out=y", "seed=3")
    return replace(settings, generator=replace(settings.generator, weights=None, train=list(train)))


def test_it_is_configured_inside_a_running_job_which_keeps_its_hydra(tmp_path):
    """As ``echo-augment benchmark`` calls it: Hydra has one global instance, and the job's is there already."""
    settings = untrained("preset=base", "+checkpointing=true")
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        job = GlobalHydra.instance().hydra
        cfg = configure(settings, tmp_path / "data", tmp_path / "out")
        assert GlobalHydra.instance().hydra is job
        assert compose("benchmark", ["out=y"]).out == "y"
    assert (cfg.preset.name, cfg.checkpointing, cfg.seed, cfg.device) == ("base", True, 3, "cpu")
    assert (cfg.data.root, cfg.out) == (str(tmp_path / "data"), str(tmp_path / "out"))


def test_and_outside_of_one(tmp_path):
    assert configure(untrained("preset=base"), tmp_path, tmp_path).preset.name == "base"
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


def test_a_student_is_the_generator_if_one_is_distilled_and_a_part_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(own_generator, "ProcessPoolExecutor", Pool)

    def made_by(*train):
        return own_generator.own_generator(untrained(*train), tmp_path, tmp_path)

    assert made_by("preset=base") == tmp_path / "generator" / "generator"
    assert made_by("preset=tiny", "+distil=bundled") == tmp_path / "generator" / "generator-student"
    with pytest.raises(EchoAugmentError, match="only=mafe makes no generator"):
        made_by("preset=tiny", "+only=mafe")


@pytest.mark.slow
def test_a_benchmark_s_own_generator_is_trained_and_found_done(tmp_path, capfd):
    root = write_phantoms(tmp_path / "phantoms", 14, num_frames=36, workers=1, splits=(0.5, 0.1, 0.4), format=2)
    short = [f"preset.{part}.steps=2" for part in ("codec", "reid", "mafe", "transport", "denoiser")]
    short += ["preset.codec.hearts=4", "preset.reid.hearts=4", "preset.mafe.batch=4", "preset.denoiser.batch=2"]
    settings = untrained("preset=tiny", "precision=no", *short)
    assert (own_generator.own_generator(settings, root, tmp_path) / "training_hearts.json").is_file()
    own_generator.own_generator(settings, root, tmp_path)
    assert capfd.readouterr().out.count("done before") == 8


def test_train_videos_of_both_and_no_others_without_their_ef(root, tmp_path):
    other = write_phantoms(tmp_path / "b", 4, num_frames=20, workers=1, splits=(0.5, 0.25, 0.25), population="B")
    for _ in range(2):  # done again, it is the same
        joined = join_training_videos([root, other], tmp_path / "joined")
        rows = read_table(joined).rows
        wanted = [row.name for place in (root, other) for row in read_table(place).split("train")]
        assert [row.name for row in rows] == wanted
        assert {row.split for row in rows} == {"TRAIN"}
        assert all(row.ef != row.ef for row in rows), "no label goes along"
        assert len(list((joined / "Videos").iterdir())) == len(rows)
    assert len(read_video(rows[-1].path)[0]) == 20


def test_two_videos_of_one_name_are_refused(root, tmp_path):
    shutil.copytree(root, tmp_path / "copy")
    with pytest.raises(EchoAugmentError, match="two TRAIN videos with the same name"):
        join_training_videos([root, tmp_path / "copy"], tmp_path / "joined")
