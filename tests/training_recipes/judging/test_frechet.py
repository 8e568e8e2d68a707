"""Fréchet distances on cases with a known answer, and the features they are taken on."""

import numpy as np
import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.judging.frechet import frechet, load_extractor, reader_features
from echo_augment.training_recipes.judging.reader_net import EFReaderNet


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_frechet_of_known_gaussians(rng):
    one = rng.normal(0, 1, (4000, 3))
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet(one, one + np.array([3.0, 0, 4.0])) == pytest.approx(25, abs=1e-6)
    assert frechet(one, 2 * one) == pytest.approx(3, abs=0.3)  # (2 - 1)^2 in each of three dimensions
    with pytest.raises(EchoAugmentError, match="needs 2 clips a set, got 1 and 4000"):
        frechet(one[:1], one)


def test_an_extractor_of_ones_own_is_found_by_name(rng):
    assert load_extractor("numpy:atleast_2d")(np.ones(3)).shape == (1, 3)
    with pytest.raises(EchoAugmentError, match="extractor 'numpy:nothing' cannot be imported"):
        load_extractor("numpy:nothing")


def test_the_readers_features_are_one_row_a_clip_and_tell_motion_from_stillness(rng):
    net = EFReaderNet().eval()
    moving = rng.integers(0, 255, (3, 4, 32, 32)).astype(np.uint8)
    still = np.repeat(moving[:, :1], 4, axis=1)
    found = reader_features(net, batch=2)(np.concatenate([moving, still]))
    assert found.shape == (6, net.head[0].in_features)
    assert np.abs(found[:3] - found[3:]).max() > 1e-4
