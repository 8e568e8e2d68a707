"""Figures of the EF that is read against labels, where some are unknown or all the same."""

import numpy as np
import pytest

from echo_augment.evaluation.fidelity.peer_report import AgainstLabel

NAN = float("nan")


def test_errors_are_of_the_clips_that_have_both():
    found = AgainstLabel.of(np.array([52.0, 38.0, NAN, 60.0]), np.array([50.0, 40.0, 30.0, NAN]))
    assert (found.n, found.mae, found.bias, found.mean, found.sd) == (2, 2, 0, 45, 5)
    assert found.r == pytest.approx(1) and found.r2 == pytest.approx(1 - 8 / 50)
    assert [(part.low, part.n) for part in found.by_ef] == [(40, 1), (50, 1)]


def test_equal_labels_and_none():
    same = AgainstLabel.of(np.array([52.0, 54.0]), np.array([50.0, 50.0]))
    assert np.isnan(same.r2) and same.r == 0 and same.bias == 3
    assert AgainstLabel.of(np.array([NAN]), np.array([50.0])) is None
