"""Drawing a heart from a seed: EF and volumes like those of patients; no pixel is drawn here."""

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import Motion, Phantom, sample_phantom, volume_curve
from echo_augment.cache.errors import EchoAugmentError


@pytest.fixture(scope="module")
def hearts() -> list[Phantom]:
    return [sample_phantom(seed) for seed in range(300)]


@pytest.fixture(scope="module")
def efs(hearts: list[Phantom]) -> np.ndarray:
    return np.array([volume_curve(heart.motion, heart.appearance).ef for heart in hearts])


def test_a_heart_is_a_function_of_its_seed():
    assert sample_phantom(42) == sample_phantom(42)
    assert sample_phantom(42).name == "P0000042"
    assert sample_phantom(42, "mine").name == "mine"
    assert sample_phantom(42).motion != sample_phantom(43).motion
    assert sample_phantom(42).appearance != sample_phantom(43).appearance


def test_sampling_leaves_the_global_generator_alone():
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    sample_phantom(1)
    assert (np.random.get_state()[1] == before).all()


def test_hearts_survive_json(hearts: list[Phantom]):
    heart = hearts[3]
    assert Phantom.from_json(heart.to_json()) == heart
    with pytest.raises(EchoAugmentError, match="heart_beat"):
        Motion.from_json(heart.motion.to_json() | {"heart_beat": 1})


def test_ef_is_spread_like_echonet_dynamic(efs: np.ndarray):
    assert efs.mean() == pytest.approx(55.8, abs=2)
    assert efs.std() == pytest.approx(12.4, abs=1.5)
    assert efs.min() >= 9 and efs.max() <= 86
    assert efs.min() < 25 and efs.max() > 72
    assert np.median(efs) > efs.mean() + 1, "the tail is on the low side"


def test_volumes_are_those_of_human_hearts(hearts: list[Phantom]):
    edv = np.array([volume_curve(heart.motion, heart.appearance).edv for heart in hearts[:200]])
    assert 60 < np.median(edv) < 150
    assert edv.min() > 10 and edv.max() < 600


def test_ef_follows_the_motion_donor_and_not_the_appearance(hearts: list[Phantom], efs: np.ndarray):
    swapped = [volume_curve(a.motion, hearts[i - 77].appearance).ef for i, a in enumerate(hearts)]
    error = np.abs(np.array(swapped) - efs)
    assert np.median(error) < 0.4
    assert np.percentile(error, 95) < 2 and error.max() < 5


def test_other_wrong_values():
    heart = sample_phantom(0)
    with pytest.raises(EchoAugmentError, match="-3"):
        sample_phantom(-3)
    for wrong in ({"num_frames": 0}, {"fps": 0.0}, {"start": -1.0}, {"fps": float("nan")}):
        with pytest.raises(EchoAugmentError, match=next(iter(wrong))):
            volume_curve(heart.motion, heart.appearance, **wrong)
