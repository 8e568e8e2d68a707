"""What a command took is measured over all its processes and starts; a killed watcher leaves nothing running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.processes import alive
from echo_augment.evaluation.studies.watching import Watched, disk_bytes, module, run_watched

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
TWO = (
    "import subprocess, sys, time; a = bytearray(b'x' * 60_000_000);"
    "p = subprocess.Popen([sys.executable, '-c', \"import time; b = bytearray(b'y' * 60_000_000); time.sleep(2)\"]);"
    "time.sleep(2); p.wait()"
)


def python(code):
    return [sys.executable, "-c", code]


def test_memory_is_that_of_the_whole_tree(tmp_path):
    found = run_watched(python(TWO), tmp_path / "log", tmp_path / "kept.json")
    assert 120e6 < found.memory < 400e6 and found.memory <= found.resident
    assert found.done and found.starts == 1 and found.seconds >= 2
    assert Watched.read(tmp_path / "kept.json") == found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_memory_that_a_forked_process_shares_counts_once(tmp_path):
    code = "import os, time; held = b'x' * 200_000_000; child = os.fork(); time.sleep(2); child and os.wait()"
    found = run_watched(python(code), tmp_path / "log", tmp_path / "kept.json")
    assert 200e6 < found.memory < 300e6 < 400e6 < found.resident and found.shared_once


def test_what_ended_is_not_run_again(tmp_path):
    command = python(f"open({str(tmp_path / 'ran')!r}, 'a').write('x')")
    first = run_watched(command, tmp_path / "log", tmp_path / "kept.json")
    assert run_watched(command, tmp_path / "log", tmp_path / "kept.json") == first
    assert (tmp_path / "ran").read_text() == "x"


def test_a_failure_is_told_with_its_last_line_and_a_restart_adds_up(tmp_path):
    fails = python("import time, sys; time.sleep(0.6); sys.exit('no room')")
    with pytest.raises(EchoAugmentError, match=r"exit code 1 no room. See .*log"):
        run_watched(fails, tmp_path / "log", tmp_path / "kept.json")
    before = Watched.read(tmp_path / "kept.json")
    assert not before.done and before.seconds >= 0.5
    after = run_watched(python("import time; time.sleep(0.6)"), tmp_path / "log", tmp_path / "kept.json")
    assert after.done and after.starts == 2 and after.seconds > before.seconds + 0.5


def test_a_killed_watcher_takes_its_command_along(tmp_path):
    pid = tmp_path / "pid"
    long = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "import sys; from pathlib import Path; from echo_augment.evaluation.studies.watching import run_watched;"
        f"run_watched([sys.executable, '-c', {long!r}], Path({str(tmp_path / 'log')!r}), Path({str(tmp_path / 'k')!r}))"
    )
    watcher = subprocess.Popen(python(code))
    try:
        until = time.monotonic() + 120
        while not (pid.exists() and pid.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        watched = int(pid.read_text())
    finally:
        watcher.send_signal(signal.SIGKILL)
        watcher.wait()
    until = time.monotonic() + 30
    while alive(watched) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(watched)


def test_bytes_on_disk_count_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "a" / "one", tmp_path / "a" / "same")
    (tmp_path / "two").write_bytes(b"y" * 50_000)
    assert 150_000 <= disk_bytes(tmp_path / "a", tmp_path / "two", tmp_path / "a" / "one") < 180_000
    assert disk_bytes(tmp_path / "none") == 0


def test_a_module_is_run_by_this_python():
    assert module("x.y", "a=1") == [sys.executable, "-m", "x.y", "a=1"]
