"""A run's folder says what it is and who works in it, and a file of the user's stays."""

import os
import subprocess
import sys
import time

import pytest
from omegaconf import OmegaConf

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.locks import FolderLock, holder_of
from echo_augment.cache.system.progress import Talk
from echo_augment.training_recipes.cli import talk_of
from echo_augment.training_recipes.common.refusals import StartedFolder
from echo_augment.training_recipes.common.run_folder import README, running, shown_running, write_readme
from echo_augment.training_recipes.common.settings import JobSettings


def test_three_lines_say_what_the_folder_is(tmp_path):
    write_readme(tmp_path / "my run", "fill-cache", ["n=8", "data.root=a b"])
    first, second, third = (tmp_path / "my run" / README).read_text().splitlines()
    assert "fill-cache, begun" in first
    assert second == "Made by: echo-augment fill-cache n=8 'data.root=a b'"
    assert f"echo-augment status 'out={tmp_path}/my run'" in third and "report.json" in third
    write_readme(tmp_path / "my run", "fill-cache", ["n=9"])
    assert "n=9" in (tmp_path / "my run" / README).read_text()


def test_a_file_of_the_users_stays(tmp_path):
    (tmp_path / README).write_text("my data")
    write_readme(tmp_path, "phantom", [])
    assert (tmp_path / README).read_text() == "my data"


def test_a_process_is_seen_while_it_works_and_no_longer(tmp_path):
    with shown_running(tmp_path):
        (one,) = running(tmp_path)
        assert one.pid == os.getpid()
    assert running(tmp_path) == [] and list((tmp_path / ".hydra").iterdir()) == []


def test_a_killed_process_is_seen_no_longer(tmp_path):
    code = (
        "import pathlib, sys, os, signal\n"
        "from echo_augment.training_recipes.common.run_folder import shown_running\n"
        f"with shown_running(pathlib.Path({str(tmp_path)!r})):\n"
        "    print('here', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "here\n"
        assert [one.pid for one in running(tmp_path)] == [process.pid]
        process.kill()
        process.wait()
    assert running(tmp_path) == []


def test_a_silent_heart_on_another_machine_is_dead_after_three_minutes(tmp_path):
    path = tmp_path / "a.lock"
    path.write_text('{"host": "elsewhere", "pid": 1, "since": "2026-01-01 00:00:00"}')
    assert holder_of(path).host == "elsewhere"
    os.utime(path, (time.time() - 200,) * 2)
    assert holder_of(path) is None and holder_of(tmp_path / "none.lock") is None


def test_looking_keeps_nobody_from_the_lock(tmp_path):
    path = tmp_path / "a.lock"
    with FolderLock(path):
        assert holder_of(path).pid == os.getpid()
    assert holder_of(path) is None
    with FolderLock(path):
        pass


def test_a_refused_start_leaves_nothing(tmp_path):
    started = StartedFolder(tmp_path / "new" / "out")
    write_readme(started.out, "train-ef", [])
    with shown_running(started.out):
        started.clear()
    assert not (tmp_path / "new").exists()
    started = StartedFolder(tmp_path / "other")
    started.out.mkdir()
    (started.out / README).write_text("the user's")
    started.clear()
    assert (started.out / README).exists()


def test_a_folder_that_takes_no_sign_goes_without(tmp_path):
    (tmp_path / ".hydra").write_text("a file where a folder should be")
    with shown_running(tmp_path):
        assert running(tmp_path) == []


def test_quiet_and_verbose_are_settings_of_every_job():
    assert talk_of(OmegaConf.create({"quiet": True})) is Talk.QUIET
    assert talk_of(OmegaConf.create({"quiet": False, "verbose": True})) is Talk.VERBOSE
    assert talk_of(OmegaConf.create({})) is Talk.NORMAL
    with pytest.raises(EchoAugmentError, match="less or more, not both"):
        JobSettings(out="x", quiet=True, verbose=True)
