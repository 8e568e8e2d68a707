"""The ``phantom`` job: composes, writes a data set, compares looks, and says what is wrong with its settings."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from omegaconf import DictConfig

from echo_augment.augmentor.data.phantom import load_phantoms, write_phantoms
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.jobs.phantom import run


def config(out: Path, *settings: str) -> DictConfig:
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose("phantom", [f"out={out}", "workers=1", "frames=24", *settings])


def test_write_makes_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run(config(tmp_path / "set", "n=4"))
    assert len(load_phantoms(tmp_path / "set")) == 4
    report = json.loads((tmp_path / "set" / "report.json").read_text())
    assert report["job"] == "phantom" and report["n"] == 4 and report["written"] == 4
    printed = capsys.readouterr().out.splitlines()
    assert "clips a second" in printed[-2] and str(tmp_path / "set") in printed[-1]
    run(config(tmp_path / "set", "n=4"))
    assert json.loads((tmp_path / "set" / "report.json").read_text())["written"] == 0


def test_compare_reports_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    other = write_phantoms(tmp_path / "other", 3, seed=5, num_frames=24, workers=1)
    run(config(tmp_path / "out", "action=compare", f"data.root={other}", "compare_clips=4"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {"mean", "spectrum_slope", "speckle_lateral", "correlation_lag1"} <= set(report["table"])
    assert len(report["clips"]["real"]) == 3 and len(report["clips"]["phantom"]) == 4
    assert (tmp_path / "out" / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")
    assert "speckle_axial" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "message"),
    [(["action=paint"], "got 'paint'"), (["action=compare"], "data.root"), (["n=0"], "n must"), (["seed=-1"], "-1")],
)
def test_wrong_settings(tmp_path: Path, settings: list[str], message: str):
    with pytest.raises(EchoAugmentError, match=message):
        run(config(tmp_path / "out", *settings))


def test_compare_with_an_empty_folder(tmp_path: Path):
    with pytest.raises(EchoAugmentError, match=r"has no Videos/\*\.avi"):
        run(config(tmp_path / "out", "action=compare", f"data.root={tmp_path}"))
