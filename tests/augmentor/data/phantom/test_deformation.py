"""The deformation: zero at ED, never folding, the same forwards and backwards, and a function of the motion alone."""

from dataclasses import replace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import Motion, sample_phantom
from echo_augment.augmentor.data.phantom.courses import clock_at
from echo_augment.augmentor.data.phantom.deformation import (
    STEEPEST,
    Deformation,
    PlaneShift,
    deformation_at,
    hidden_length,
    plane_shift_at,
)

STILL = Motion(heart_rate=60, phase=0, long_strain=0.15, short_strain=0.3, rhythm_seed=5)
LIVELY = replace(STILL, deformation=0.02, shear=0.03, right_side=0.08)
PLACES = np.random.default_rng(0).uniform((-0.7, 0), (0.7, 1.5), (200, 2))


def test_a_heart_that_only_contracts_has_none():
    assert deformation_at(STILL, np.zeros(1)) is None and plane_shift_at(STILL, np.zeros(1)) is None
    assert not hidden_length(STILL, clock_at(STILL, np.linspace(0, 1, 9))).any()
    assert deformation_at(LIVELY, np.zeros(1)) is not None


def test_it_rests_at_ed_and_is_as_large_as_told():
    found = Deformation(LIVELY, np.array([0.0, 1.0, 0.3]))
    moved = found.displacement(np.repeat(PLACES[None], 3, axis=0))
    np.testing.assert_allclose(moved[:2], 0, atol=1e-9)
    size = Deformation(replace(STILL, deformation=0.005), np.linspace(0, 4, 200))
    rms = np.sqrt((size.displacement(np.repeat(PLACES[None], 200, axis=0)) ** 2).sum(axis=-1).mean())
    assert rms == pytest.approx(0.005, rel=0.5)


def test_forward_undoes_backward():
    found = Deformation(LIVELY, np.linspace(0, 2, 15))
    gone = found.forward(np.repeat(PLACES[None], 15, axis=0))
    np.testing.assert_allclose(gone - found.displacement(gone), np.repeat(PLACES[None], 15, axis=0), atol=1e-3)
    assert np.abs(gone - PLACES).max() > 0.01


@pytest.mark.parametrize("size", [0.02, 0.1])
def test_tissue_never_folds(size: float):
    """However much is asked for, a step of the place is never undone by the step of its displacement."""
    found = Deformation(replace(LIVELY, deformation=size, shear=0.2, right_side=0.3), np.linspace(0, 8, 161))
    places, step = np.repeat(PLACES[None], 161, axis=0), 1e-3
    for direction in ((step, 0), (0, step)):
        change = (found.displacement(places + direction) - found.displacement(places)) / step
        assert np.linalg.norm(change, axis=-1).max() < 1.5 * STEEPEST < 1


def test_without_rhythm_beats_differ():
    times = np.array([0.3, 1.3])
    steady, loose = (Deformation(replace(LIVELY, restless=share), times).courses for share in (0.0, 0.8))
    np.testing.assert_allclose(steady[0], steady[1])
    assert np.abs(loose[0] - loose[1]).max() > 0.002


def test_through_the_plane_and_back():
    motion = replace(STILL, plane_shift=0.05, plane_length=0.1)
    found = PlaneShift(motion, clock_at(motion, np.array([0.0, 0.35, 1.0])))
    left = found.courses @ PlaneShift.basis(PLACES)
    np.testing.assert_allclose(left[[0, 2]], 0, atol=1e-9)
    assert np.abs(left[1]).mean() > 0.005
    hidden = hidden_length(motion, clock_at(motion, np.linspace(0, 3, 90)))
    assert hidden.min() >= 0 and 0.05 < hidden.max() < 0.2


def test_free_hearts_do_not_fit_in_few_courses():
    values = (
        np.linalg.svd(Deformation(sample_phantom(11).motion, np.linspace(0, 2, 100)).courses, compute_uv=False) ** 2
    )
    assert values[4:].sum() / values.sum() > 0.01 and values[8:].sum() / values.sum() > 1e-3
