"""How a state is told, and what Hydra has kept of a run."""

from pathlib import Path

from echo_augment.cache.system.locks import Holder
from echo_augment.evaluation.benchmark import sweep
from echo_augment.evaluation.status import generators, job, state, trainings
from echo_augment.evaluation.status.state import State, age, job_of, settings_of, who
from echo_augment.training_recipes.common import reporting
from echo_augment.training_recipes.generator import ledger
from echo_augment.training_recipes.training import run as training


def test_a_state_is_told_in_lines():
    inner = State(folder=Path("runs/a/b"), job="clips", left=["3 clips"])
    told = State(
        folder=Path("runs/a"), job="benchmark", done=["1 of 4"], running=["x"], left=["y"], seconds=600, parts=[inner]
    )
    assert told.text().splitlines() == [
        "runs/a: benchmark, running",
        "  done    1 of 4",
        "  running x",
        "  left    y",
        "  time    about 10 min left",
        "  runs/a/b: clips, stopped",
        "    left    3 clips",
    ]
    assert "left" not in State(folder=Path("a"), job="", seconds=5.0, finished=True).text()
    assert who([Holder("h", 3, "now")]) == ["process 3 on h since now"]


def test_settings_are_read_as_hydra_has_kept_them(folder, tmp_path):
    run = folder(job="fill-cache", n=4)
    run.write(".hydra/config.yaml", "out: o\nroot: ${out}/p\n")
    assert settings_of(run.folder) == {"out": "o", "root": "o/p"} and job_of(run.folder) == "fill-cache"
    run.write(".hydra/config.yaml", "out: [")
    assert settings_of(run.folder) is None
    assert settings_of(tmp_path) is None and job_of(tmp_path) == ""


def test_of_processes_that_share_a_folder_the_first_ones_settings_count(folder):
    run = folder()
    folder("run/0", job="fill-cache", n=4)
    assert job_of(run.folder) == ""
    run.write("multirun.yaml", "")
    assert job_of(run.folder) == "fill-cache" and settings_of(run.folder)["n"] == 4


def test_the_age_of_what_is_not_there_is_none(tmp_path):
    assert age(tmp_path / "none") is None
    (tmp_path / "file").touch()
    assert 0 <= age(tmp_path / "file") < 60


def test_files_have_the_names_that_the_jobs_give_them():
    assert reporting.REPORT == state.REPORT and sweep.FOLDER == job.VALUES
    assert (training.RESULT, training.SETTINGS) == (trainings.RESULT, trainings.SETTINGS)
    assert ledger.VIDEO_TABLE == generators.TABLE
