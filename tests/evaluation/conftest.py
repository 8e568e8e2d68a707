"""A handful of phantoms, written once for all tests of this folder."""

from pathlib import Path

import pytest

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.training_recipes.cli import find_jobs


@pytest.fixture(scope="session", autouse=True)
def _jobs():
    """Every job's settings are registered, as the command registers them before it composes a configuration."""
    for entry in find_jobs().values():
        entry.load()


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    return write_phantoms(
        tmp_path_factory.mktemp("phantoms"), 18, num_frames=36, workers=1, splits=(0.4, 0.1, 0.5), format=2
    )


@pytest.fixture(scope="session")
def long_root(tmp_path_factory) -> Path:
    """Videos that are as long as a whole clip of 16 frames at 12.5 a second: only such give motion without a net."""
    return write_phantoms(
        tmp_path_factory.mktemp("long"), 12, num_frames=66, workers=1, splits=(0.5, 0.1, 0.4), format=2
    )
