"""Every job composes from the installed package, and the command behaves: help, unknown jobs, missing values."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

from echo_augment.training_recipes.cli import SUMMARIES, find_jobs

JOBS = list(find_jobs())
CONF = Path(__file__).parents[1] / "training_recipes" / "conf"


@pytest.mark.parametrize("job", JOBS)
def test_job_composes_and_loads(job):
    assert callable(find_jobs()[job].load())
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose(job, overrides=["out=somewhere"], return_hydra_config=True)
    assert cfg.out == "somewhere" and cfg.hydra.run.dir


def test_every_job_has_a_file_and_a_summary():
    assert {path.stem for path in CONF.glob("*.yaml")} - {"base"} == set(JOBS) <= set(SUMMARIES)


def command(*arguments):
    code = "from echo_augment.training_recipes.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)


def test_help_lists_the_jobs():
    result = command("--help")
    assert result.returncode == 0 and all(job in result.stdout for job in JOBS)


def test_unknown_job_is_a_usage_error():
    result = command("fil-cache")
    assert result.returncode == 2 and "no job 'fil-cache'" in result.stderr and "fill-cache" in result.stderr


def test_missing_value_names_the_argument(tmp_path):
    result = command("train-ef", f"out={tmp_path / 'o'}")
    assert result.returncode == 1 and "data.root" in result.stderr and "Traceback" not in result.stderr


def test_missing_folder_is_one_line(tmp_path):
    result = command(
        "train-ef", f"out={tmp_path / 'o'}", "data=echonet", f"data.root={tmp_path / 'nowhere'}", "arm=real"
    )
    assert (
        result.returncode == 1
        and "nowhere: there is no such folder" in result.stderr
        and "Traceback" not in result.stderr
    )
