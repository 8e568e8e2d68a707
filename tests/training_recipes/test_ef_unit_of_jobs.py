"""A table of fractions told to every job as such: percent in every label, cache and report; no link where forbidden."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest

from echo_augment.augmentor import CachedClips
from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.training_recipes.cli import main

COMMON = ["device=cpu", "trainer.precision=fp32", "trainer.batch_size=4", "trainer.stats_clips=4", "val_at_least=2"]
EF = ["trainer.steps=2", "trainer.validate_every=1", "trainer.length=8", "trainer.val_clips=1", "trainer.test_clips=1"]
FAST = ["trainer.schedule.warmup=1"]


@pytest.fixture(scope="module")
def fractions(tmp_path_factory):
    """Phantoms with EF as fractions of 1, and their EF in percent by name."""
    folder = tmp_path_factory.mktemp("fractions") / "set"
    write_phantoms(folder, 12, num_frames=72, workers=1, splits=(0.5, 0.25, 0.25))
    (folder / "phantoms.json").unlink()
    percent = {row.name: row.ef for row in read_table(folder).rows}
    table = folder / "FileList.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["EF"] = f"{float(row['EF']) / 100:.12g}"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder, percent


@pytest.fixture
def run(monkeypatch, tmp_path, fractions):
    """Runs a job on the fractions; gives its exit code and its report."""

    def call(job, *arguments, unit="fraction"):
        words = [f"out={tmp_path / job}", *arguments, *([f"data.ef_unit={unit}"] if unit else [])]
        monkeypatch.setattr(sys, "argv", ["echo-augment", job, *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code)
        path = tmp_path / job / "report.json"
        return code, json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    return call


@pytest.fixture
def data(fractions):
    return ["data=echonet", f"data.root={fractions[0]}"]


def test_doctor(run, fractions):
    folder, percent = fractions
    code, report = run("doctor", f"data.root={folder}")
    assert code == 0 and report["data"]["ef"]["mean"] == pytest.approx(np.mean(list(percent.values())))
    code, report = run("doctor", f"data.root={folder}", unit=None)
    assert code == 1 and "which is not EF in percent" in json.dumps(report["findings"])


def test_fill_cache_stores_percent(run, fractions, data, tmp_path):
    code, report = run("fill-cache", *data, "n=2", "batch=2", "steps=0", "device=cpu", "gates.image=false")
    assert code == 0 and report["config"]["data"]["ef_unit"] == "fraction"
    clips = CachedClips(tmp_path / "fill-cache")
    donors = [clips[place].provenance.motion_donor for place in range(len(clips))]
    assert len(clips) == 2 and clips.ef == pytest.approx([fractions[1][donor] for donor in donors], abs=1e-3)


def test_train_ef_reads_and_reports_percent_also_when_taken_up_again(run, fractions, data, tmp_path):
    for _ in range(2):
        code, report = run("train-ef", *data, *COMMON, *EF, *FAST, "labels=4")
        assert code == 0
        truth = {name: found[0] for name, found in report["predictions"].items()}
        assert truth == pytest.approx({name: fractions[1][name] for name in truth}) and len(truth) == 3
    settings = json.loads((tmp_path / "train-ef" / "settings.json").read_text(encoding="utf-8"))
    assert settings["ef_unit"] == "fraction"
    assert run("train-ef", *data, *COMMON, *EF, *FAST, "labels=4", unit=None)[0] == 1


@pytest.mark.slow
def test_benchmark_in_worker_processes(run, fractions, data):
    arms = ["arm=[real,synthetic]", "labels=[4]", "seeds=[0,1]", "clips=2", "generator.batch=2", "generator.steps=0"]
    code, report = run("benchmark", *data, *COMMON, *EF, *FAST, *arms, "resamples=199", "workers=2")
    assert code == 0 and report["config"]["data"]["ef_unit"] == "fraction"
    ranges = [arm["by_range"] for arm in report["arms"].values()]
    assert len(ranges) == 2 and all(len(found) > 1 for found in ranges)  # of fractions all would be below 30 %
    assert all(1 < arm["mae"]["mean"] < 60 for arm in report["arms"].values())


@pytest.mark.slow
def test_train_generator_and_fidelity(run, fractions, data):
    steps = [f"preset.{stage}.{what}" for stage in ("codec", "reid", "mafe") for what in ("steps=2", "warmup=1")]
    assert run("train-generator", *data, "preset=tiny", "device=cpu", "precision=no", "only=mafe", *steps)[0] == 0
    words = ["pairs=2", "shown=1", "device=cpu", f"data.root={fractions[0]}", "data.limit=2"]
    code, report = run("fidelity", *words)
    assert code == 0 and report["config"]["data"]["ef_unit"] == "fraction"
    assert run("fidelity", *words, unit=None)[0] == 1


def test_links_are_followed_unless_a_job_is_told_not_to(run, fractions, data, tmp_path):
    folder = tmp_path / "linked"
    shutil.copytree(fractions[0], folder)
    for path in (folder / "Videos").iterdir():
        path.unlink()
        path.symlink_to(fractions[0] / "Videos" / path.name)
    code, report = run("doctor", f"data.root={folder}")
    assert code == 0 and report["data"]["videos"] == len(fractions[1])
    code, report = run("doctor", f"data.root={folder}", "data.follow_links=false")
    assert code == 1 and "is a link that leaves the dataset's folder" in json.dumps(report["findings"])
    words = ["data=echonet", f"data.root={folder}", "n=1", "device=cpu", "data.follow_links=false"]
    assert run("fill-cache", *words)[0] == 1
