"""Phantoms for the EF reader."""

import numpy as np
import pytest

from echo_augment.training_recipes.judging.reader_net import render_many, render_one


def test_phantoms_are_rendered_by_their_numbers_whatever_the_processes():
    made = render_many(2, 5, 25.0, 64, 777_000, "phantoms")
    for at in range(2):
        clip, ef, volumes = render_one(777_000 + at, 5, 25.0, 64)
        assert np.array_equal(made.clips[at], clip) and float(made.ef[at]) == pytest.approx(ef, rel=1e-6)
        assert np.array_equal(made.volumes[at], volumes) and volumes.max() == 1 and volumes.min() < 0.95
