"""A benchmark killed at random moments and started again ends with the figures of one that ran through."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from fakes.benchmark import SMALL

from echo_augment.augmentor.data.phantom import write_phantoms

STEPS = ["trainer.steps=40", "trainer.validate_every=10", "clips=8", "workers=2", "arm=[real,synthetic,oracle]"]
KILLS = 8


@pytest.fixture
def root(tmp_path):
    return write_phantoms(tmp_path / "phantoms", 18, num_frames=100, workers=1, splits=(0.4, 0.1, 0.5), format=2)


def start(root, out):
    command = [sys.executable, "-m", "echo_augment.training_recipes", "benchmark", f"data.root={root}", f"out={out}"]
    kept = [word for word in SMALL if word.split("=")[0] not in {one.split("=")[0] for one in STEPS}]
    with out.with_suffix(".log").open("ab") as log:
        return subprocess.Popen([*command, *kept, *STEPS, "labels=[3]"], stdout=log, stderr=log)


def figures(out):
    report = json.loads((out / "report.json").read_text())
    return report["arms"], report["contrasts"]


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_gives_the_same_figures(root, tmp_path):
    began = time.monotonic()
    whole = start(root, tmp_path / "whole")
    assert whole.wait() == 0, (tmp_path / "whole.log").read_text()
    seconds = time.monotonic() - began
    rng, out, moments = np.random.default_rng(0), tmp_path / "killed", []
    for _ in range(KILLS):
        process, moment = start(root, out), float(rng.uniform(0.05, 0.9) * seconds)
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            moments.append(round(moment, 1))
        if (out / "report.json").exists():
            break
    assert start(root, out).wait() == 0, (tmp_path / "killed.log").read_text()
    print(f"killed after {moments} s of a run that takes {seconds:.0f} s")
    assert moments
    assert figures(out) == figures(tmp_path / "whole")
