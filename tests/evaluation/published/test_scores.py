"""Distances and scores equal other implementations' on the same features."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torchmetrics.image.fid import _compute_fid

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.published.scores import frechet_distance, inception_score


def features(seed: int, count: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) / np.sqrt(size) + 0.3 * rng.normal(size=size)


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values.mean(0), np.cov(values, rowvar=False, bias=True)


@pytest.mark.parametrize(("first", "second", "size"), [(400, 300, 20), (60, 400, 80), (50, 40, 80)])
def test_the_distance_equals_two_packages_and_the_formula(first, second, size):
    one, two = features(1, first, size), features(2, second, size)
    found = frechet_distance(one, two)
    (m1, s1), (m2, s2) = moments(one), moments(two)
    formula = np.square(m1 - m2).sum() + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    assert found == pytest.approx(formula, rel=1e-2)
    tensors = (torch.from_numpy(part) for part in (m1, s1, m2, s2))
    assert found == pytest.approx(float(_compute_fid(*tensors)), rel=1e-2)
    theirs = fid_statistics_to_metric({"mu": m1, "sigma": s1}, {"mu": m2, "sigma": s2}, verbose=False)
    assert found == pytest.approx(theirs["frechet_inception_distance"], rel=1e-2)


def test_equal_sets_are_at_no_distance_and_a_shift_at_its_square():
    one = features(1, 50, 8)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, one + 2) == pytest.approx(8 * 4)
    with pytest.raises(EchoAugmentError, match="needs 2 samples a set, got 1 and 50"):
        frechet_distance(one[:1], one)
    with pytest.raises(EchoAugmentError, match="8 and of 7 numbers"):
        frechet_distance(one, one[:, :7])


def test_the_score_equals_torch_fidelitys():
    logits = torch.randn(105, 30, generator=torch.Generator().manual_seed(0)).double() * 2
    theirs = isc_features_to_metric(logits, splits=10, shuffle=False)
    found = inception_score(logits.softmax(1).numpy())
    assert found.mean == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert found.sd == pytest.approx(theirs["inception_score_std"], rel=1e-6)


def test_a_score_is_1_for_one_class_and_their_number_for_as_many():
    assert inception_score(np.full((20, 4), 0.25)).mean == pytest.approx(1)
    assert inception_score(np.eye(8)[np.arange(16) % 8], 2).mean == pytest.approx(8)
    with pytest.raises(EchoAugmentError, match="10 parts needs as many images, got 9"):
        inception_score(np.ones((9, 1)))
