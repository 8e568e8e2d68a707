"""Courses over time: at rest at ED, without rhythm, slow and sudden; all pure functions of the time."""

from dataclasses import replace

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import Motion
from echo_augment.augmentor.data.phantom.courses import clock_at, cyclic, early_diastolic, probe, systolic, wandering

MOTION = Motion(heart_rate=60, phase=0, long_strain=0.15, short_strain=0.3, rhythm_seed=5)


def test_what_beats_rests_at_ed_and_repeats():
    times = np.array([0.0, 1.0, 2.0, 0.3, 1.3])
    clock = clock_at(MOTION, times)
    for course in (
        cyclic(clock, np.random.default_rng(1), 3),
        systolic(clock)[:, None],
        early_diastolic(clock)[:, None],
    ):
        np.testing.assert_allclose(course[:3], 0, atol=1e-9)
        np.testing.assert_allclose(course[3], course[4], atol=1e-9)
    assert np.abs(cyclic(clock, np.random.default_rng(1), 3)[3]).min() > 1e-3


def test_systole_peaks_at_es():
    times = np.linspace(0, 0.999, 500)
    assert times[systolic(clock_at(MOTION, times)).argmax()] == pytest.approx(0.35, abs=0.01)


def test_wandering_is_about_one_in_size_and_never_repeats():
    course = wandering(np.linspace(0, 200, 4000), np.random.default_rng(2), 4, (0.4, 3.0))
    np.testing.assert_allclose(course.std(axis=0), 1, atol=0.25)
    assert np.abs(np.corrcoef(course[:1000, 0], course[1000:2000, 0])[0, 1]) < 0.5


def test_the_probe_rests_unless_told_and_jolts_are_sudden():
    times = np.arange(0, 8, 0.02)
    assert not probe(MOTION, times).any()
    drift = probe(replace(MOTION, drift=0.02), times)
    jolts = probe(replace(MOTION, jolts=0.5, jolt_size=0.05), times)
    assert 0.002 < drift[:, 0].std() < 0.1
    assert np.abs(np.diff(jolts, axis=0)).max() > 5 * np.abs(np.diff(drift, axis=0)).max()
    part = probe(replace(MOTION, jolts=0.5, jolt_size=0.05, drift=0.02), times[100:150])
    np.testing.assert_allclose(part, (drift + jolts)[100:150])
