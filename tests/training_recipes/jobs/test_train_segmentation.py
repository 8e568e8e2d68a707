"""The job train-segmentation: one small training, its report, and what `fill-cache` needs of it."""

import json

import pytest
from hydra import compose, initialize_config_module

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.jobs import train_segmentation as job
from echo_augment.training_recipes.segmentation.teacher import load_segmenter


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_phantoms(
        tmp_path_factory.mktemp("phantoms"), 14, num_frames=40, workers=1, splits=(0.6, 0.2, 0.2), format=2
    )


def test_the_job_writes_its_report(root, tmp_path, capsys):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        overrides = ["trainer.steps=2", "trainer.batch_size=4", "model.settings.widths=[4,4]", "trainer.stats_clips=2"]
        overrides += [f"data.root={root}", f"out={tmp_path}", "labels=1/2", "val_at_least=1", "device=cpu"]
        job.run(compose("train-segmentation", [*overrides, "arm=classical"]))
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["job"], report["task"], report["arm"]) == ("train-segmentation", "segmentation", "classical")
    assert report["label_fraction"] == pytest.approx(0.5)
    assert 0 <= report["test"]["pooled"]["dice"] <= 1
    assert str(tmp_path / "report.json") in capsys.readouterr().out
    assert load_segmenter(tmp_path).labelled, "fill-cache can take it"
    assert (tmp_path / "overlay.png").stat().st_size > 0


def test_a_wrong_setting_is_refused_before_any_work(tmp_path):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-segmentation", ["data.root=x", f"out={tmp_path / 'o'}", "labels=1.0"])
    with pytest.raises(EchoAugmentError, match="could mean one video or all"):
        job.run(cfg)
    assert not (tmp_path / "o").exists()
