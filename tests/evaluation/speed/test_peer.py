"""The peer reads the very samples of EchoNetDynamic."""

import numpy as np
import pytest

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.speed.peer import EchoAsPublished, decode_as_published


@pytest.mark.parametrize("form", [{"length": 32, "period": 2, "pad": 12}, {"length": 50, "period": 2}, {"period": 3}])
def test_the_peer_makes_the_very_samples(videos, form):
    settings = {"mean": 32.7, "std": np.array([49.9, 50.0, 50.1], np.float32), **form}
    ours = EchoNetDynamic(videos, "train", "EF", **settings)
    theirs = EchoAsPublished(videos, "train", "EF", **settings)
    for index in range(len(ours)):
        (clip, ef), (other, other_ef) = ours[index], theirs[index]
        assert clip.dtype == other.dtype and np.array_equal(clip, other) and ef == other_ef


def test_the_peer_names_a_video_that_breaks_off(videos, tmp_path):
    path = tmp_path / "broken.avi"
    content = next((videos / "Videos").glob("*.avi")).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(EchoAugmentError, match=r"broken\.avi"):
        decode_as_published(path)
