"""Every job composes from the installed package, and the command behaves: help, unknown jobs, missing values."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

from echo_augment.training_recipes.cli import SUMMARIES, find_jobs, main

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
    """Run the installed command."""
    program = str(Path(sys.executable).parent / "echo-augment")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120)


@pytest.fixture
def refused(monkeypatch, capsys):
    """Runs a command that must be refused, in this process, which has PyTorch already; gives what it said."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["echo-augment", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr().err
        assert ended.value.code == 1 and "Traceback" not in said
        return said

    return run


def test_help_lists_the_jobs():
    result = command("--help")
    assert result.returncode == 0 and all(job in result.stdout for job in JOBS)


def test_unknown_job_is_a_usage_error():
    result = command("fil-cache")
    assert result.returncode == 2 and "no job 'fil-cache'" in result.stderr and "fill-cache" in result.stderr


def test_missing_value_names_the_argument(refused, tmp_path):
    assert "data.root" in refused("train-ef", f"out={tmp_path / 'o'}")


def test_missing_folder_is_one_line(refused, tmp_path):
    said = refused("train-ef", f"out={tmp_path / 'o'}", "data=echonet", f"data.root={tmp_path / 'nowhere'}", "arm=real")
    assert "nowhere: there is no such folder" in said and said.count("\n") == 1
