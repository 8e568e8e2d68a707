"""Broken files and tables end as clips or with a reason: no crash, no hang, no gigabyte. Each is told by its number."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
FEW, MANY = 240, 2000


def broken(first, count):
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "tests.fakes.broken", str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60 + count)
    assert done.returncode == 0, f"it ended with {done.returncode} after {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("first", "count"), [(0, FEW), pytest.param(FEW, MANY, marks=pytest.mark.slow)])
def test_broken_files(first, count):
    found = broken(first, count)
    assert sum(found["counts"].values()) == count and found["counts"]["out"] > count / 4
    assert found["slowest"][0] < 5, f"file {found['slowest'][1]} took {found['slowest'][0]:.1f} s"
    assert found["grown"] < 1e9, f"file {found['largest'][1]} took {found['largest'][0] / 1e6:.0f} MB"
