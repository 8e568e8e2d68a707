"""The command: help is light and may be cut short, and freed memory is kept unless the user wants it otherwise."""

import os
import platform
import re
import subprocess
import sys

import pytest
import yaml
from fakes.cache import write_clips
from fakes.echo import make_clip
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from echo_augment.training_recipes import cli
from echo_augment.training_recipes.cli import EXIT_PIPE, KEPT, OWN, SUMMARIES, usage
from echo_augment.training_recipes.jobs.cache import ACTIONS

FAULTS = """
import resource, sys
import numpy as np
from echo_augment.training_recipes.cli import keep_freed_memory

print(keep_freed_memory() if "keep" in sys.argv else None)
for _ in range(3):
    np.ones(10_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(10_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a C library without these settings")


def faults(*arguments, **environment):
    plain = {key: value for key, value in os.environ.items() if key not in KEPT}
    command = [sys.executable, "-c", FAULTS, *arguments]
    done = subprocess.run(command, env=plain | environment, capture_output=True, text=True, check=True)
    told, count = done.stdout.split()
    return told, int(count)


@glibc
def test_freed_memory_is_used_again():
    _, given_back = faults()
    told, kept = faults("keep")
    assert told == "True" and kept < given_back / 10, (given_back, kept)


@glibc
def test_children_keep_theirs():
    _, kept = faults(**{name: str(value) for name, value in KEPT.items()})
    assert kept < 1000


def test_the_users_own_settings_stay():
    told, _ = faults("keep", MALLOC_TRIM_THRESHOLD_="131072")
    assert told == "False"


HELP_OF_ALL = """
import os, sys
from echo_augment.training_recipes.cli import OWN, main

for job in OWN:
    print(f"@@{job}", flush=True)
    if not os.fork():
        sys.argv = ["echo-augment", job, "--help"]
        try:
            main()
        finally:
            print(f"@torch {'torch' in sys.modules}", flush=True)
            os._exit(0)
    os.wait()
"""


def names(found, before="") -> set[str]:
    """The settings of a configuration, by their names with those of their groups."""
    if not isinstance(found, dict):
        return {before}
    return {before} | {name for key, value in found.items() for name in names(value, f"{before}.{key}")}


def test_help_has_all_settings_and_does_without_torch():
    done = subprocess.run([sys.executable, "-c", HELP_OF_ALL], capture_output=True, text=True, check=True)
    told = dict(part.split("\n", 1) for part in done.stdout.split("@@")[1:])
    assert list(told) == list(OWN) and done.stderr == ""
    for job, text in told.items():
        settings, _, torch = text.partition("@torch ")
        assert torch.strip() == "False", job
        shown = yaml.safe_load(re.search(r"\(foo\.bar=value\)\n\n(.*?)\n\n", settings, re.DOTALL)[1])
        with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
            whole = OmegaConf.to_container(compose(job))
        assert names(shown) == names(whole), job


def test_the_help_of_the_command_does_without_torch_and_names_every_action_of_cache():
    code = "import sys; from echo_augment.training_recipes.cli import usage; usage(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert set(ACTIONS) == set(re.split(r", | or ", SUMMARIES["cache"].removeprefix("action=")))
    assert SUMMARIES["cache"] in usage()


def test_bars_of_other_packages_are_off_in_a_log_file():
    code = (
        "import atexit, os, sys; from echo_augment.training_recipes.cli import main\n"
        "sys.argv = ['x', 'status', '--help']\n"
        "atexit.register(lambda: print(os.environ.get('TQDM_DISABLE'))); main()"
    )
    plain = {key: value for key, value in os.environ.items() if key != "TQDM_DISABLE"}
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "1", done.stderr


def test_a_mistyped_setting_beside_help_is_one_line():
    command = [sys.executable, "-m", "echo_augment.training_recipes", "phantom", "sed=1", "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1) and "there is no setting sed" in done.stderr


def unread(*arguments) -> tuple[int, str]:
    """Exit code and errors of a command whose output nobody reads."""
    command = [sys.executable, "-m", "echo_augment.training_recipes", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        return process.wait(), process.stderr.read()


@pytest.mark.parametrize("arguments", [["--help"], ["train-ef", "--help"]])
def test_help_whose_reader_has_gone_ends_without_a_word(arguments):
    assert unread(*arguments) == (EXIT_PIPE, "")


def test_a_job_whose_reader_has_gone_says_why_it_ended(tmp_path):
    write_clips(tmp_path / "cache", [make_clip(1)], fingerprint="")
    code, error = unread("cache", f"cache={tmp_path / 'cache'}", f"out={tmp_path / 'out'}")
    assert code == EXIT_PIPE and "Traceback" not in error
    assert error.endswith("error: the output goes to a pipe that was closed; the job was ended\n")


def test_another_pipe_that_breaks_is_no_reader_that_has_gone(monkeypatch):
    def broken(arguments):
        raise BrokenPipeError("a worker's")

    monkeypatch.setattr(cli, "run_command", broken)
    with pytest.raises(BrokenPipeError, match="a worker's"):
        cli.main()
