"""`report.json`: JSON whatever the figures are, with what the job ran on."""

import json
import math
import platform
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from echo_augment.training_recipes.common import reporting
from echo_augment.training_recipes.common.reporting import Machine, machine, plain, versions, write_report
from echo_augment.training_recipes.common.settings import JobSettings


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (math.nan, None),
        (np.float64("inf"), None),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        ({1: (1, {"a"}), "b": Path("x/y")}, {"1": [1, ["a"]], "b": "x/y"}),
        (Fraction(1, 8), "1/8"),
        (True, True),
        ("text", "text"),
        (None, None),
    ],
)
def test_figures_become_json_types(value, wanted):
    found = plain(value)
    assert found == wanted and type(found) is type(wanted)
    json.dumps(found, allow_nan=False)


@dataclass(kw_only=True)
class Settings(JobSettings):
    """Of a job."""

    rate: float = 1.5


@pytest.mark.parametrize("kind", ["dataclass", "DictConfig"])
def test_a_report_has_what_was_found_what_was_asked_for_and_the_versions(tmp_path, kind):
    config = Settings(out="o", seed=2)
    if kind == "DictConfig":
        config = OmegaConf.create({"out": "o", "seed": 2, "device": "auto", "rate": 1.5, "again": "${out}"})
    written = write_report(tmp_path / "new", "speed", config, {"figure": np.float32(2), "seeds": [2], "bad": math.nan})
    assert json.loads((tmp_path / "new" / "report.json").read_text()) == written
    assert (written["job"], written["figure"], written["bad"]) == ("speed", 2.0, None)
    assert (written["fingerprint"], written["seeds"], written["skipped"]) == ("", [2], [])
    assert written["versions"] == versions() and written["config"]["rate"] == 1.5
    assert written["config"].get("again", "o") == "o"


def test_a_killed_report_leaves_the_one_before(tmp_path, monkeypatch):
    write_report(tmp_path, "speed", Settings(out="o"), {"figure": 1})
    before = (tmp_path / "report.json").read_bytes()

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", killed)
    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_report(tmp_path, "speed", Settings(out="o"), {"figure": 2})
    assert (tmp_path / "report.json").read_bytes() == before


def test_versions_name_what_is_not_installed(monkeypatch):
    monkeypatch.setattr(reporting, "PACKAGES", ("torch", "no-such-package-here"))
    found = versions()
    assert found["torch"] == torch.__version__.split("+")[0] or found["torch"] == torch.__version__
    assert found["no-such-package-here"] == "absent" and found["python"].count(".") == 2


def test_the_machine_is_told_without_its_name(monkeypatch):
    found = machine("cpu")
    assert found.device == "cpu" and found.cores >= 1
    assert found.to_json() == {"device": "cpu", "cores": found.cores, "system": found.system}
    assert platform.node() not in found.system.split()
    monkeypatch.setattr(reporting, "best_device", lambda name: "cuda:1")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert machine("auto") == Machine(device="GPU 1", cores=found.cores, system=found.system)
