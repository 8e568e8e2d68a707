"""Which processes count as running; workers end with the process that started them, even if it is killed."""

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from echo_augment.cache.system.processes import alive, give_back_memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_killed_process_is_not_alive_although_nobody_asked_for_its_end():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert alive(child.pid)
    child.kill()
    deadline = time.monotonic() + 30
    while alive(child.pid) and time.monotonic() < deadline:  # without child.poll(), which would ask
        time.sleep(0.01)
    assert child.returncode is None and not alive(child.pid)
    child.wait()
    assert not alive(child.pid)
    child.stdin.close()


SCRIPT = r"""
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from echo_augment.cache.system.processes import end_with_parent

def busy(_):
    os.write(1, b"%d\n" % os.getpid())  # one write: print makes two, and the workers share the pipe
    time.sleep(600)

if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=get_context(sys.argv[1]), initializer=end_with_parent) as pool:
        list(pool.map(busy, range(2)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_killed_process_leaves_no_worker(tmp_path, method):
    script = tmp_path / "pool.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, str(script), method], stdout=subprocess.PIPE, text=True)
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    assert all(map(alive, workers))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 30
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, workers))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep no freed memory, or cannot say")
def test_freed_memory_is_given_back():
    def resident():
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    blocks = [b"x" * 60_000 for _ in range(2_000)]  # too small for pages of their own
    blocks = blocks[-1:]  # the last one keeps the heap from shrinking by itself
    before = resident()
    give_back_memory()
    assert before - resident() > 60e6 and blocks
