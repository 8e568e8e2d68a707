"""Which processes count as running."""

import subprocess
import sys
import time

import pytest

from echo_augment.cache.system.processes import alive


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
