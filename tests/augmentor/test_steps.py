"""Steps that would make black or torn videos are refused by name, before any training."""

import random

import albumentations as A
import numpy as np
import pytest
from fakes.echo import FakeEcho

from echo_augment.augmentor import ClassicalAugment, ImageFields
from echo_augment.augmentor.classical import ef_preserving
from echo_augment.augmentor.steps import check_images, steps_of
from echo_augment.cache.errors import EchoAugmentError

FIELDS = ImageFields(std=255)


def base(side=112):
    """One grey video in [0, 1]."""
    return [(np.random.default_rng(0).random((1, 4, side, side), np.float32), 55.0)]


def wrapped(*steps, side=112):
    return ClassicalAugment(base(side), transform=A.Compose(list(steps)), fields=FIELDS)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (A.Normalize(), r"Normalize leaves \[0, 1\]"),
        (A.Normalize(p=0), r"Normalize leaves \[0, 1\]"),
        (A.Normalize(mean=0.5, std=0.5, max_pixel_value=1), r"Normalize leaves .* from -1 to 0.99"),
        (A.RandomCrop(64, 64), r"RandomCrop changes the shape of images from \(112, 112, 1\) to \(64, 64, 1\)"),
        (A.Resize(224, 224), "Resize changes the shape"),
        (A.RandomCrop(500, 500), "RandomCrop fails"),
        (A.RandomBrightnessContrast((-1, -1), 0), "RandomBrightnessContrast makes images of one grey"),
        (A.FromFloat(dtype="uint8"), r"FromFloat leaves .* from 0 to 255"),
        (A.ToTensorV2(), "ToTensorV2 gives Tensor"),
    ],
)
def test_a_step_that_does_not_keep_images_is_refused_by_name(step, words):
    for transform in (step, A.Compose([A.OneOf([A.HorizontalFlip(), A.Sequential([step])])])):
        with pytest.raises(EchoAugmentError, match=f"the step {words}"):
            ClassicalAugment(base(), transform=transform, fields=FIELDS)
    with pytest.raises(EchoAugmentError, match=f"the step {words.split()[0]}"):
        ClassicalAugment(FakeEcho(), transform=step)


def test_a_step_that_fits_the_real_images_is_taken():
    sample = wrapped(A.Resize(48, 48), A.RandomCrop(48, 48), A.Transpose(), side=48)[0]
    assert sample[0].shape == (1, 4, 48, 48)


def test_the_default_and_usual_steps_are_taken():
    steps = [A.Affine(rotate=(-30, 30), interpolation=2), A.GaussNoise(), A.RandomGamma(), A.CoarseDropout()]
    for transform in (None, A.Compose([*steps, A.ElasticTransform(), A.InvertImg(), A.Sharpen()])):
        sample = ClassicalAugment(base(), transform=transform, fields=FIELDS)[0]
        assert sample[0].shape == (1, 4, 112, 112) and 0.05 < sample[0].mean() < 0.95


def test_trying_touches_no_random_state_and_no_step():
    transform = A.Compose([A.HorizontalFlip(p=0.25), A.OneOf([A.RandomGamma(p=0.5), A.GaussianBlur()])])
    before = (random.getstate(), np.random.get_state()[1].tobytes())
    one = ClassicalAugment(base(), transform=transform, fields=FIELDS)
    assert before == (random.getstate(), np.random.get_state()[1].tobytes())
    assert [step.p for step in steps_of(transform)] == [0.25, 0.5, 0.5]
    assert len(list(steps_of(ef_preserving()))) == 5
    other = ClassicalAugment(base(), transform=transform, fields=FIELDS)
    assert np.array_equal(one[0][0], other[0][0])


def test_what_only_real_images_show_is_an_error_when_they_are_read():
    with pytest.raises(EchoAugmentError, match=r"the transform changes the shape .* \(64, 64, 1\) to \(112, 112, 1\)"):
        wrapped(A.Resize(112, 112), side=64)[0]
    images = np.full((1, 4, 4, 1), 0.5, np.float32)
    for bad, words in ((images * 4, "leaves"), (images * np.nan, "not finite"), (images.astype(np.uint8), "uint8")):
        with pytest.raises(EchoAugmentError, match=words):
            check_images(images, bad, "the transform")
    check_images(images, images + 0.6, "the transform")
