"""The job measures, reports and leaves nothing behind."""

import json
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_module

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.speed.job import run
from echo_augment.evaluation.speed.rows import MISSING, PASS, SHORT
from echo_augment.evaluation.speed.settings import TABLES


def config(out: Path, root: Path, *settings: str):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose("speed", [f"out={out}", f"data.root={root}", "quick=true", "hearts=2", *settings])


def test_the_job_measures_and_reports(videos, tmp_path, capsys):
    run(config(tmp_path / "out", videos, "tables=[store,loader]", "loader.workers=0"))
    lines = capsys.readouterr().out.strip().splitlines()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "targets met" in lines[-1] and lines[-1].endswith("speed.md") and "too few repetitions" in lines[-1]
    assert report["job"] == "speed" and list(report["tables"]) == ["store", "loader"]
    rows = [row for table in report["tables"].values() for row in table["rows"]]
    measured = [row for row in rows if row["median"] is not None]
    assert len(measured) >= 9 and all(row["quartiles"][0] <= row["median"] <= row["quartiles"][1] for row in measured)
    assert all(row["verdict"] in (PASS, SHORT, MISSING) for row in rows if row["target"] is not None)
    assert report["machine"]["cores"] >= 1 and "host" not in json.dumps(report["machine"])
    assert "| figure | median |" in (tmp_path / "out" / "speed.md").read_text()
    assert [path.name for path in (tmp_path / "out").glob(".speed-*")] == [], "the work folder is left behind"


def test_the_generator_s_table_has_a_row_for_each_variant_one_that_fails_too(videos, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no C++\ncompiler")

    monkeypatch.setattr(torch, "compile", fail)
    run(config(tmp_path, videos, "tables=[generator]", "variants=[compile,channels_last]", "device=cpu"))
    rows = json.loads((tmp_path / "report.json").read_text())["tables"]["generator"]["rows"]
    host = next(row for row in rows if row["what"] == "host, a clip whose donors are read")
    assert host["median"] > 0 and host["target"] == 10 and "to call a GPU's kernels" in host["detail"]
    failed, row = (row for row in rows if "times faster than without" in row["what"])
    assert failed["verdict"] == MISSING and failed["detail"] == "RuntimeError: no C++ compiler"
    assert row["what"].startswith("1 DDIM steps with the channels last") and row["median"] > 0
    assert "gray levels" in row["detail"]


def test_a_variant_that_needs_a_gpu_is_refused_without_one(videos, tmp_path):
    settings = config(tmp_path / "out", videos, "tables=[generator]", "variants=[cuda_graphs]", "device=cpu")
    with pytest.raises(EchoAugmentError, match="cuda_graphs needs a GPU"):
        run(settings)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_every_table_on_phantoms(tmp_path):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        run(compose("speed", [f"out={tmp_path}", "quick=true", "hearts=4"]))
    report = json.loads((tmp_path / "report.json").read_text())
    assert list(report["tables"]) == list(TABLES)
    assert not [row for row in report["tables"]["generator"]["rows"][:6] if row["median"] is None]
