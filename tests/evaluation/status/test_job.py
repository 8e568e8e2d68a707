"""The job `status` finds out what a folder is of; it changes nothing, whatever it finds."""

import subprocess
import sys

import pytest
from fakes.run_folder import everything

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.evaluation.status.job import state_of
from echo_augment.evaluation.status.state import DONE, RUNNING, STOPPED
from echo_augment.training_recipes.common.run_folder import shown_running


def status(folder, cwd):
    command = [sys.executable, "-m", "echo_augment.training_recipes", "status", f"out={folder}"]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_the_command_tells_and_writes_nothing(folder, tmp_path):
    run = folder(job="train-ef")
    run.training(".", step=40)
    before = everything(tmp_path)
    done = status(run.folder, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{run.folder}: train-ef, stopped\n  done    40 of 100 steps\n  left    60 steps\n"
    assert everything(tmp_path) == before


def test_a_folder_that_is_not_there_or_of_no_run_is_one_line(folder, tmp_path):
    done = status(tmp_path / "nowhere", tmp_path)
    assert done.returncode == 1 and "there is no such folder" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(EchoAugmentError, match="is no folder of a run"):
        state_of(folder("empty").folder)


def test_a_job_without_steps_runs_or_has_its_report(folder):
    run = folder(job="fidelity")
    assert state_of(run.folder).word == STOPPED
    with shown_running(run.folder):
        assert state_of(run.folder).word == RUNNING
    run.write("report.json", {})
    assert state_of(run.folder).word == DONE


def test_the_runs_of_a_sweep_are_told_one_by_one(folder):
    run = folder()
    run.write("multirun.yaml", "")
    for name, done in (("0", True), ("1", False)):
        folder(f"run/{name}", job="train-ef").training(".", step=100, done=done)
    state = state_of(run.folder)
    assert state.done == ["1 of 2 runs that were begun"] and state.left == ["1"] and state.word == STOPPED
    assert [part.folder.name for part in state.parts] == ["1"]


def test_a_generator_that_a_benchmark_trains_is_told_with_it(folder, monkeypatch):
    from echo_augment.evaluation.status import generators

    monkeypatch.setattr(generators, "stage_names", lambda preset, last: ["codec", last])
    run = folder(job="benchmark", labels=[4], seeds=[0], arm={"real": {}}, data={"name": "phantom"})
    run.write("generator/stages.json", {"settings": {"preset": {}}, "done": {"codec": {}}})
    state = state_of(run.folder)
    assert [part.job for part in state.parts] == ["train-generator"] and state.done == ["0 of 1 training"]
