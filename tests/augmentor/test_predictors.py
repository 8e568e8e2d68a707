"""What reads an EF or draws masks keeps the protocols; the implementations lie floors above and are found by name."""

from importlib import import_module

import numpy as np
import pytest
import torch
from fakes.echo import make_clip
from fakes.protocols import breaches
from torch import nn

from echo_augment.augmentor.predictors import EFPredictor, Segmenter


def named(path):
    """The class or function of ``floor.room.module:name``."""
    module, name = path.split(":")
    return getattr(import_module(f"echo_augment.{module}"), name)


def bare(path):
    """An object of a class, without its weights."""
    return object.__new__(named(path))


READERS = {
    "net of train-ef": lambda: bare("training_recipes.ef.teacher:Teacher"),
    "EF reader of fidelity": lambda: bare("training_recipes.judging.reader:EFReader"),
    "masks": lambda: named("training_recipes.filling.label_gate:read_masks"),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_of_an_ef_is_one(reader):
    assert breaches(EFPredictor, READERS[reader]()) == []


def test_a_reader_gives_a_number_a_clip():
    read = named("training_recipes.filling.label_gate:read_masks")
    for count in (0, 1, 3):
        found = read([make_clip(seed) for seed in range(count)])
        assert found.shape == (count,) and found.dtype == np.float64


class Bright(nn.Module):
    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.mean(1) - 100


def test_the_segmenter_of_train_segmentation_is_one():
    segmenter = named("training_recipes.segmentation.teacher:Segmenter")(
        Bright(), mean=(0, 0, 0), std=(1, 1, 1), size=(16, 16), fingerprint="f", ef_bias=-1.5
    )
    assert breaches(Segmenter, segmenter) == [] and (segmenter.fingerprint, segmenter.ef_bias) == ("f", -1.5)
    frames = np.zeros((3, 16, 16), np.uint8)
    frames[:, 4:9, 5:12] = 200
    masks = segmenter(frames)
    assert masks.dtype == np.bool_ and np.array_equal(masks, frames > 0)


class Wrong:
    fingerprint = "f"

    def __call__(self, clips, more):
        return clips


def test_the_check_sees_what_does_not_conform():
    assert breaches(Segmenter, Wrong()) == ["ef_bias is missing", "__call__: missing a required argument: 'more'"]
    (breach,) = breaches(EFPredictor, lambda clips: clips)
    assert breach.startswith("__call__ returns None, not ") and "float64" in breach
