"""Two phantoms that the speed tables are tried on."""

import pytest

from echo_augment.augmentor.data.phantom import write_phantoms


@pytest.fixture(scope="package")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    return write_phantoms(root, 2, seed=77, num_frames=70, workers=1, splits=(1.0, 0.0, 0.0), format=2)
