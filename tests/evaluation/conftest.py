"""A handful of phantoms, written once for all tests of this folder."""

from pathlib import Path

import pytest

from echo_augment.augmentor.data.phantom import write_phantoms


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 18, num_frames=36, workers=1, splits=(0.4, 0.1, 0.5))
