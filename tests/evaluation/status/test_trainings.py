"""How far trainings are, from their logs and results."""

import os
import time

import pytest

from echo_augment.evaluation.status.state import DONE, RUNNING, STOPPED
from echo_augment.evaluation.status.trainings import (
    Log,
    benchmark_state,
    is_training,
    read_log,
    training_state,
    trainings_wanted,
)
from echo_augment.training_recipes.common.run_folder import shown_running

SETTINGS = {
    "data": {"name": "phantom", "root": "x"},
    "arm": {"real": {}, "oracle": {"_target_": "echo_augment.training_recipes.arms.synthetic", "clips": "oracle"}},
    "labels": [4],
    "seeds": [0, 1],
}


def test_a_log_is_read_up_to_its_last_whole_line(folder):
    run = folder()
    run.training("a", step=40)
    assert read_log(run.folder / "a" / "fit.csv") == Log(40, 80.0)
    assert read_log(run.folder / "none.csv") == Log()
    assert Log(40, 80.0).left(100) == 120.0 and Log().left(100) is None and Log(40, 80.0).left(None) is None


def test_a_training_is_stopped_running_or_done(folder):
    run = folder()
    run.training(".", step=40)
    assert is_training(run.folder)
    state = training_state(run.folder, "train-ef")
    assert (state.word, state.done, state.left) == (STOPPED, ["40 of 100 steps"], ["60 steps"])
    with shown_running(run.folder):
        state = training_state(run.folder, "train-ef")
    assert state.word == RUNNING and state.seconds == 120.0 and str(os.getpid()) in state.running[0]
    run.training(".", step=100, done=True)
    assert training_state(run.folder, "train-ef").word == DONE


def test_steps_that_depend_on_the_data_are_not_guessed(folder):
    run = folder()
    run.training(".", step=40, steps=None)
    state = training_state(run.folder, "train-ef")
    assert state.done == ["40 steps"] and state.seconds is None


def test_a_benchmark_counts_its_trainings(folder):
    run = folder(job="benchmark", **SETTINGS)
    for arm in ("real", "oracle"):
        run.training(f"runs/labels-4/{arm}-seed0", step=100, done=True)
    run.training("runs/labels-4/real-seed1", step=50)
    state = benchmark_state(run.folder, "benchmark")
    assert state.done == ["2 of 4 trainings"] and state.left == ["2 trainings", "the report"]
    assert state.running == ["labels-4/real-seed1: 50 of 100 steps"] and state.word == RUNNING
    assert state.seconds == pytest.approx(200 * 2 - 100)
    old = time.time() - 10_000
    for path in (run.folder / "runs/labels-4/real-seed1").iterdir():
        os.utime(path, (old, old))
    state = benchmark_state(run.folder, "benchmark")
    assert state.word == STOPPED and state.seconds is None


def test_a_benchmark_with_its_report_is_done(folder):
    run = folder(job="benchmark", **SETTINGS)
    run.training("runs/labels-4/real-seed0", step=100, done=True)
    run.write("report.json", {})
    assert benchmark_state(run.folder, "benchmark").word == DONE


def test_arms_that_real_videos_do_not_allow_do_not_count(tmp_path):
    assert trainings_wanted(SETTINGS) == 4
    real = {**SETTINGS, "data": {"name": "echonet", "root": str(tmp_path)}}
    real["arm"] = {"real": {"clips": None}, "oracle": {"clips": "oracle", "_target_": "x"}}
    assert trainings_wanted(real) == 2
    assert trainings_wanted({}) is None and trainings_wanted(None) is None
