"""The table live: the generator process stands still in every other block, and always goes on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.speed import live
from echo_augment.evaluation.speed.live import BLOCK, Steps, Timed, rows_of, watch
from echo_augment.evaluation.speed.rows import PASS, SHORT


class FakeLive:
    """A source that takes a known time, and a process that only sleeps."""

    donors = frozenset({"a"})
    ef = np.empty(0)

    def __init__(self, pid, seconds):
        self.pid, self.seconds, self.made = pid, seconds, 0

    def __len__(self):
        return 3

    def take(self, index, key):
        time.sleep(self.seconds)
        return None, "fallback"

    def stats(self):
        self.made += 2
        return {"made": self.made, "cause": "killed"}


class FakeTraining:
    """A step takes two clips and works a while; it keeps whether the process stood still."""

    def __init__(self, timed):
        self.timed, self.states = timed, []

    def step(self):
        began = time.perf_counter()
        self.states.append(Path(f"/proc/{self.timed.source.pid}/stat").read_text().split()[2])
        for index in range(2):
            self.timed.take(index, (0, 0, index))
        time.sleep(0.02)
        return time.perf_counter() - began


class Idle:
    def step(self):
        return 0.1


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads process states from /proc")
def test_the_generator_stands_still_in_every_other_block_and_goes_on(sleeper):
    timed = Timed(FakeLive(sleeper.pid, 0.01))
    training = FakeTraining(timed)
    seen = watch(training, timed, 2)
    states = training.states[3:]
    assert all(state == "T" for state in states[BLOCK : 2 * BLOCK] + states[3 * BLOCK :])
    assert not any(state == "T" for state in states[:BLOCK] + states[2 * BLOCK : 3 * BLOCK])
    assert len(seen.beside) == len(seen.alone) == 2 * BLOCK == len(seen.waits)
    assert 20 < np.median(seen.waits) < 100, "two takes of 10 ms in a step of 40 ms"
    time.sleep(0.05)
    assert Path(f"/proc/{sleeper.pid}/stat").read_text().split()[2] != "T"


def test_the_generator_goes_on_where_training_breaks(sleeper):
    class Broken(Idle):
        calls = 0

        def step(self):
            self.calls += 1
            if self.calls > 3 + BLOCK:
                raise RuntimeError("out of memory")
            return 0.1

    with pytest.raises(RuntimeError, match="out of memory"):
        watch(Broken(), Timed(FakeLive(sleeper.pid, 0)), 2)
    sleeper.send_signal(signal.SIGTERM)
    assert sleeper.wait(timeout=60) == -signal.SIGTERM, "a stopped process would not have ended"


def test_a_generator_that_has_ended_is_an_error():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    timed = Timed(FakeLive(process.pid, 0))
    with pytest.raises(EchoAugmentError, match="has ended: killed"):
        watch(Idle(), timed, 1)


def test_figures_of_a_training_beside_the_generator():
    seen = Steps(beside=[0.3] * 8, alone=[0.2] * 8, waits=[0.5] * 8, running=4.0, made=10)
    wait, slowdown, fresh = rows_of(seen, {"epoch": 0, "real": 8, "cached": 0, "fresh": 3, "fallback": 5})
    assert wait.verdict == PASS and wait.found.median == 0.5 and "3 fresh, 5 fallback" in wait.detail
    assert slowdown.found.median == pytest.approx(1.5) and fresh.found.median == 2.5
    seen.waits = [1.5] * 8
    assert rows_of(seen, {"real": 1, "fresh": 0, "fallback": 0})[0].verdict == SHORT
    assert live.WAIT == 1.0
