"""A small data set, a cache of exact clips and one EF training on them, as fixtures for tests of several rooms."""

from pathlib import Path

import pytest
from fakes.training import ORACLE, ef_trainer, tiny

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.ef.run import EFRun
from echo_augment.training_recipes.ef.training import train_ef
from echo_augment.training_recipes.filling.fill import fill_from


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_phantoms(
        tmp_path_factory.mktemp("phantoms"), 14, num_frames=48, workers=1, splits=(0.6, 0.2, 0.2), format=2
    )


@pytest.fixture(scope="module")
def cache(root, tmp_path_factory) -> Path:
    """Oracle clips of all TRAIN motions."""
    folder = tmp_path_factory.mktemp("cache")
    fill_from(OracleGenerator.of(root, frames=6), folder, n=24, progress=False, say=lambda _: None)
    return folder


@pytest.fixture(scope="module")
def trained(root, cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run = EFRun(
        **{"root": str(root), "arm": "oracle", "spec": ORACLE, "labels": 4, "seed": 1},
        **{
            "model": tiny(4, 4),
            "trainer": ef_trainer(),
            "val_at_least": 2,
            "caches": {"oracle": str(cache)},
            "device": "cpu",
        },
    )
    return run, out, train_ef(run, out, progress=False)
