"""Motion and appearance refuse what no heart has."""

from dataclasses import replace

import pytest

from echo_augment.augmentor.data.phantom import sample_phantom
from echo_augment.cache.errors import EchoAugmentError


@pytest.mark.parametrize(
    ("change", "message"),
    [({"heart_rate": 0.0}, "heart_rate"), ({"long_strain": 0.9}, "0.9"), ({"short_strain": -0.1}, "-0.1")],
)
def test_motion_out_of_range(change: dict[str, float], message: str):
    with pytest.raises(EchoAugmentError, match=message):
        replace(sample_phantom(0).motion, **change)
