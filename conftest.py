"""Doctests of the floors: `pytest --doctest-modules` finds each module under the name it is installed by.

And every test begins with the same global random state, before its fixtures: an untrained net is the same in each run.
"""

import random
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent
collect_ignore = ["tests/fakes/core_only.py"]  # a script
FLOORS = ("cache", "augmentor", "training_recipes", "evaluation")


def pytest_collect_file(file_path: Path) -> None:
    """Put the module in place before pytest would import the file a second time, as ``cache.clip`` for instance."""
    if file_path.suffix != ".py" or not file_path.is_relative_to(ROOT):
        return
    folder, *inner = file_path.relative_to(ROOT).with_suffix("").parts
    if folder == "package":
        sys.modules["package"] = import_module("echo_augment")
    elif folder in FLOORS and inner != ["__main__"]:
        name = ".".join([folder, *inner]).removesuffix(".__init__")
        sys.modules[name] = import_module(f"echo_augment.{name}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Seed the global generators, PyTorch's where it is loaded."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
