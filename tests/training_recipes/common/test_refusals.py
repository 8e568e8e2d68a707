"""Every job refuses a setting that does not exist, is of another type or out of its range: in one line, at once."""

import dataclasses
import sys
from pathlib import Path
from typing import get_origin, get_type_hints

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from echo_augment.training_recipes.cli import find_jobs, main
from echo_augment.training_recipes.common.refusals import StartedFolder, runs_of
from echo_augment.training_recipes.common.settings import KINDS

ENOUGH = {
    "cache": ["cache=c"],
    "train-ef": ["data=phantom"],
    "train-segmentation": ["data=phantom"],
    "import": ["from=video", f"data={Path(__file__).parent}"],
    "import-weights": ["from=echonet-synthetic", f"data={Path(__file__).parent}"],
}
"""What a job needs besides ``out``."""
OUT_OF_RANGE = {
    "cache": ["clips=0", "clips must be"],
    "doctor": ["show=0", "show must be"],
    "phantom": ["fps=-1", "fps must be"],
    "fill-cache": ["gates.label.quantile=1.5", "gates.label.quantile must be in (0, 1], got 1.5"],
    "train-ef": ["trainer.optimizer.lr=0", "trainer.optimizer.lr must be above 0, got 0"],
    "train-segmentation": ["val_at_least=0", "val_at_least must be"],
}
JOBS = list(find_jobs())
FAULTS = {
    "out=": "out must be a folder, got ''",
    "out=null": "out: field 'out' is not Optional",
    "seed=nan": "seed: value 'nan'",
    "seed=true": "seed: value 'True'",
    "seed=1e1": "seed: value '10.0'",
    "device=gpu": "device must be auto, cpu, cuda",
    "device=cuda:7": "torch finds",
    "data.root=missing data.name=echonet": "missing: there is no such folder. data.root must be",
    "generator=missing": "generator=missing: there is no such folder",
    "generator.weights=missing": "generator.weights=missing: there is no such folder",
    "+caches.synthetic=missing": "caches=missing: there is no such folder",
    "+teachers.real=missing": "teachers=missing: there is no such folder",
    "cache=missing": "cache=missing: there is no such folder",
    "labels=25%": "labels",
    "labels=nan": "labels",
    "labels=1.0": "labels",
    "batch=0": "batch must be a whole number of at least 1, got 0",
    "batch=1e1": "batch: value '10.0'",
    "n=nan": "n: value 'nan'",
    "n=25%": "n: value '25%'",
    "steps=0.5": "steps: value '0.5'",
    "steps=-1": "steps must be",
    "fps=nan": "fps must be",
    "workers=0": "workers must be",
    "-m out=1,2": "out=1,2: the runs of a sweep go to folders of their own in one out",
    "-m seed=x,1": "seed: value 'x'",
}
"""What is refused, if a job has such a setting at all, and what the line says."""
ONCE = {"seed=nan", "seed=true", "seed=1e1"}
"""Tried in one job: how a whole number is read does not depend on the job."""
TEXT_OF = {"import": {"labels": "no such file"}}
"""Settings of another meaning in a job."""
OTHERWISE = {
    *(("doctor", f"{key}=missing") for key in ("cache", "generator")),  # doctor reports what is missing
    ("cache", "data.root=missing data.name=echonet"),  # action=info reads no data set
}


def faults():
    for entry in find_jobs().values():
        entry.load()
    for job in JOBS:
        for fault, text in FAULTS.items():
            if fault in ONCE and job != JOBS[0]:
                continue
            keys = [one.lstrip("+").split("=")[0] for one in fault.split() if one != "-m"]
            if all(has(KINDS[job], key.split(".")) for key in keys) and (job, fault) not in OTHERWISE:
                yield job, fault, TEXT_OF.get(job, {}).get(keys[0], text)


def has(kind, keys):
    kinds = get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    if get_origin(kind) is dict:
        return len(keys) == 1
    return not dataclasses.is_dataclass(kind) if not keys else keys[0] in kinds and has(kinds[keys[0]], keys[1:])


def test_every_job_has_typed_settings():
    assert all(entry.load() for entry in find_jobs().values()) and set(KINDS) == set(JOBS)


@pytest.fixture
def refused(monkeypatch, tmp_path, capsys):
    """Runs a command that must end with one line, and leave nothing behind; gives the line."""
    monkeypatch.chdir(tmp_path)

    def run(job: str, *arguments: str) -> str:
        given = {one.lstrip("+").split("=")[0] for one in arguments}
        rest = [one for one in ["out=o", *ENOUGH.get(job, [])] if one.split("=")[0] not in given]
        monkeypatch.setattr(sys, "argv", ["echo-augment", job, *rest, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        found = capsys.readouterr()
        assert ended.value.code == 1 and found.out == "" and found.err.count("\n") == 1, found
        assert list(tmp_path.iterdir()) == []
        return found.err

    return run


@pytest.mark.parametrize(("job", "fault", "text"), list(faults()))
def test_every_job_and_every_fault(refused, job, fault, text):
    assert text in refused(job, *fault.split())


@pytest.mark.parametrize("job", JOBS)
def test_a_mistyped_setting(refused, job):
    assert "there is no setting sed. Did you mean seed?" in refused(job, "sed=1")


@pytest.mark.parametrize("job", JOBS)
def test_a_setting_of_another_type(refused, job):
    assert "error: seed: value 'many'" in refused(job, "seed=many")


@pytest.mark.parametrize("job", JOBS)
def test_a_setting_out_of_its_range(refused, job):
    setting, text = OUT_OF_RANGE.get(job, ["seed=-1", "seed must be a whole number of at least 0, got -1"])
    assert text in refused(job, setting)


def test_a_setting_in_a_group_and_a_group_s_file(refused):
    assert "no setting trainer.step. Did you mean trainer.steps?" in refused("train-ef", "trainer.step=5")
    assert "model: there is no tinny. Did you mean tiny?" in refused("train-ef", "model=tinny")
    assert "no setting modle. Did you mean model?" in refused("train-ef", "modle=tiny")
    assert "no setting arm.real.p. To add it to arm.real: +arm.real.p=" in refused("train-ef", "arm.real.p=1")
    assert "a setting val_at_least already. Leave out the plus" in refused("train-ef", "+val_at_least=2")


def test_the_user_s_own_wish_for_a_traceback_stays(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(sys, "argv", ["echo-augment", "phantom", "out=o", "nn=1"])
    with pytest.raises(Exception, match="nn"):
        main()


def test_a_sweep_is_checked_whole_before_its_first_run(refused):
    assert "there is no setting nn" in refused("phantom", "-m", "nn=1,2")
    assert "n must be a whole number" in refused("phantom", "-m", "n=1,0", "frames=20")
    assert "missing: there is no such folder" in refused(
        "train-ef", "-m", "seed=1,2", "data=echonet", "data.root=missing"
    )


def test_the_runs_of_a_sweep():
    parser = OverridesParser.create()
    assert list(runs_of(["n=1,2", "a.b='1_0','2_0'", "seed=3"], parser)) == [
        *(["n=1", "a.b='1_0'", "seed=3"], ["n=1", "a.b='2_0'", "seed=3"]),
        *(["n=2", "a.b='1_0'", "seed=3"], ["n=2", "a.b='2_0'", "seed=3"]),
    ]
    assert list(runs_of(["+n=range(1,3)", "x=interval(0,1)"], parser)) == [["+n=1"], ["+n=2"]]


def test_a_job_that_refuses_after_its_start_leaves_nothing_either(refused, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    (folder / "Videos").mkdir()
    (folder / "FileList.csv").write_text("FileName,EF,Split\n")
    for out in ("out=o", "out=deep/er/o"):
        assert "lists no videos" in refused("train-ef", "data=echonet", f"data.root={folder}", out)
    assert "lists no videos" in refused("train-ef", "-m", "data=echonet", f"data.root={folder}", "seed=0,1")


def test_what_was_there_before_a_refused_run_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    started = StartedFolder(tmp_path / "mine" / "a" / "b")
    (started.out / ".hydra").mkdir(parents=True)
    (started.out / ".hydra" / "config.yaml").touch()
    started.clear()
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
    for name in ("clips.h5", "config.yaml"):
        started = StartedFolder(tmp_path / "mine" / "a")
        started.out.mkdir(exist_ok=True)
        (started.out / name).touch()
        started.clear()
        assert (started.out / name).exists()
    StartedFolder(tmp_path / "mine").clear()
    assert (tmp_path / "mine" / "a").exists()
