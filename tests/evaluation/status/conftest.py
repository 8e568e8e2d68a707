"""Folders of runs as the jobs leave them."""

import pytest
from fakes.run_folder import Run


@pytest.fixture
def folder(tmp_path):
    """Make a run in a folder of this name."""
    return lambda name="run", job="", **settings: Run(tmp_path / name, job, **settings)
