"""Phantoms and a teacher for tests of what fills a cache."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from fakes.fill import READER, Brightness

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON
from echo_augment.training_recipes.cli import find_jobs


@pytest.fixture(scope="session", autouse=True)
def _jobs():
    """Every job's settings are registered, as the command registers them before it composes a configuration."""
    for entry in find_jobs().values():
        entry.load()


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    return write_phantoms(
        tmp_path_factory.mktemp("phantoms"), 12, num_frames=40, workers=1, splits=(0.5, 0.25, 0.25), format=2
    )


@pytest.fixture
def teacher(monkeypatch, tmp_path):
    """A teacher's folder whose net reads brightness."""
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps({"key": "k", "reader": {**asdict(READER), "size": [112, 112]}}))
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / TRAINED_ON).write_text(json.dumps({"first": [], "content": []}))
    monkeypatch.setattr("echo_augment.training_recipes.ef.teacher.load_net", lambda folder: Brightness())
    return folder
