"""A small data set and one training of a segmenter on it, as fixtures for tests of several modules."""

from pathlib import Path

import pytest
from fakes.training import REAL, segmentation_trainer

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.training_recipes.segmentation.run import SegmentationRun
from echo_augment.training_recipes.segmentation.training import (
    train_segmentation,
)
from echo_augment.training_recipes.training.settings import ModelSettings

MODEL = ModelSettings(name="unet", settings={"widths": [4, 8]})


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_phantoms(
        tmp_path_factory.mktemp("phantoms"), 14, num_frames=40, workers=1, splits=(0.6, 0.2, 0.2), format=2
    )


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run = SegmentationRun(
        **{"root": str(root), "arm": "real", "spec": REAL, "labels": 4, "seed": 1, "model": MODEL},
        **{"trainer": segmentation_trainer(), "val_at_least": 2, "device": "cpu"},
    )
    return run, out, train_segmentation(run, out, progress=False)
