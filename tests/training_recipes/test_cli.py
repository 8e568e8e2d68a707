"""Freed memory is kept, in this process and its children, unless the user has settings of their own."""

import os
import platform
import subprocess
import sys

import pytest

from echo_augment.training_recipes.cli import KEPT

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
