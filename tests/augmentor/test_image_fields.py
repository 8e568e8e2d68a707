"""Where the images of a sample are, and putting them back."""

import numpy as np
import pytest
import torch
from fakes.echo import FakeEcho

from echo_augment.augmentor import ImageFields
from echo_augment.augmentor.wrapping import difference
from echo_augment.cache.errors import EchoAugmentError

MEAN, STD = np.array([30.0, 31.0, 32.0], np.float32), np.array([50.0, 49.0, 48.0], np.float32)


def normalised(grey):
    """Three channels ``(3, ...)`` of grey levels, normalised."""
    shape = (3,) + (1,) * grey.ndim
    return ((grey[None] - MEAN.reshape(shape)) / STD.reshape(shape)).astype(np.float32)


@pytest.fixture
def grey():
    return np.random.default_rng(0).integers(0, 256, (5, 12, 10)).astype(np.float32)


def test_an_echo_sample_is_unpacked_to_grey_images_and_masks(grey):
    mask = grey[0] > 99
    fields = ImageFields.of(FakeEcho(target_type=["EF", "LargeFrame", "LargeTrace"], mean=MEAN, std=STD))
    images, masks = fields.unpack((normalised(grey), (np.float32(50), normalised(grey[2]), mask)))
    assert images.shape == (6, 12, 10, 1) and masks.shape == (1, 12, 10)
    np.testing.assert_allclose(images[:5, ..., 0], grey / 255, atol=1e-5)
    np.testing.assert_allclose(images[5, ..., 0], grey[2] / 255, atol=1e-5)


def test_what_is_packed_again_unchanged_is_the_sample(grey):
    fields = ImageFields.of(FakeEcho(target_type=["EF", "LargeFrame", "LargeTrace"], mean=MEAN, std=STD))
    sample = (normalised(grey), (np.float32(50), normalised(grey[2]), (grey[0] > 99).astype(np.float32)))
    again = fields.pack(sample, *fields.unpack(sample))
    assert difference(sample, again) is None and again is not sample
    np.testing.assert_allclose(again[0], sample[0], atol=1e-4)
    np.testing.assert_allclose(again[1][1], sample[1][1], atol=1e-4)
    assert np.array_equal(again[1][2], sample[1][2])


@pytest.mark.parametrize("mean", [31.0, MEAN])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_packed_sample_is_its_owners_to_change(grey, mean, channels):
    fields = ImageFields(frames=((1, 1),), mean=mean if channels == 3 else 31.0, std=50)
    video = np.repeat((grey[None] - 31) / 50, channels, 0)
    images, masks = fields.unpack((video, (np.float32(50), video[:, 2])))
    again = fields.pack((video, (np.float32(50), video[:, 2])), images, masks)
    for array in (again[0], again[1][1]):
        assert array.flags.writeable and array.flags.c_contiguous and not np.shares_memory(array, images)


def test_nested_places_and_tensors(grey):
    fields = ImageFields(video=("nested", 0), masks=["mask"], std=255)
    sample = {"nested": (torch.from_numpy(grey[None] / 255), 3), "mask": torch.from_numpy(grey > 99)}
    images, masks = fields.unpack(sample)
    again = fields.pack(sample, 1 - images, masks)
    assert difference(sample, again) is None and again["nested"][1] == 3 and torch.equal(again["mask"], sample["mask"])
    assert torch.allclose(again["nested"][0], 1 - sample["nested"][0], atol=1e-6)


def test_colour_keeps_its_channels(grey):
    video = normalised(grey)
    video[0] += 1
    images, _ = ImageFields(mean=MEAN, std=STD).unpack((video, 50.0))
    assert images.shape[-1] == 3


def test_a_target_transform_hides_the_traces():
    with pytest.raises(EchoAugmentError, match="target_transform hides where LargeFrame is"):
        ImageFields.of(FakeEcho(target_type=["LargeFrame"], target_transform=dict))
