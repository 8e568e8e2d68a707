"""The job train-ef: one small training, its report, and what `fill-cache` needs of it."""

import json

import pytest
from fakes.ef import root  # noqa: F401
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data import content_hash, read_table
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON, TrainingVideos
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.jobs import train_ef as job


def test_the_job_writes_its_report(root, tmp_path, capsys):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        overrides = ["trainer.steps=2", "trainer.length=6", "trainer.batch_size=4", "model.settings.widths=[2,2]"]
        overrides += [f"data.root={root}", f"out={tmp_path}", "labels=1/2", "val_at_least=1", "device=cpu"]
        job.run(compose("train-ef", overrides))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["job"] == "train-ef"
    assert report["label_fraction"] == pytest.approx(0.5)
    assert report["seeds"] == [0]
    assert report["arm"] == "real"
    assert str(tmp_path / "report.json") in capsys.readouterr().out

    known = TrainingVideos.read(tmp_path / TRAINED_ON)
    assert set(known.content) == {content_hash(row.path) for row in read_table(root).split("train")}


def test_a_finished_job_is_reported_again_without_training(root, tmp_path, monkeypatch):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        overrides = ["trainer.steps=2", "trainer.length=6", "trainer.batch_size=4", "model.settings.widths=[2,2]"]
        overrides += [f"data.root={root}", f"out={tmp_path}", "val_at_least=1", "device=cpu", "trainer.precision=fp32"]
        cfg = compose("train-ef", overrides)
    job.run(cfg)
    first = json.loads((tmp_path / "report.json").read_text())
    (tmp_path / "report.json").unlink()
    monkeypatch.setattr("echo_augment.training_recipes.training.recipe.fit", None)
    job.run(cfg)
    assert json.loads((tmp_path / "report.json").read_text()) == first


def test_a_wrong_setting_is_refused_before_any_work(tmp_path):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-ef", ["arm=[real,oracle]", "data.root=x", f"out={tmp_path / 'o'}"])
    with pytest.raises(EchoAugmentError, match="this job trains one arm, got real, oracle"):
        job.run(cfg)
    assert not (tmp_path / "o").exists()
