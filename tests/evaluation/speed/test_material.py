"""The material: all forms hold the same frames."""

import numpy as np
import pytest

from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.evaluation.speed.material import prepare


def test_all_forms_of_a_video_hold_the_same_frames(videos, tmp_path):
    material = prepare(find_files(videos), tmp_path, tmp_path, videos=2, seed=0)
    assert len(material.names) == 2 and material.frames == (70, 70) and not material.phantoms
    stack = np.load(material.stack)
    assert all(np.array_equal(clip.frames, stack[k]) for k, clip in enumerate(ClipStore(material.cache)))
    assert len(list(material.short.glob("*.avi"))) == len(list((material.root / "Videos").iterdir())) == 2


def test_short_videos_are_no_material(tmp_path):
    root = write_phantoms(tmp_path / "short", 1, num_frames=10, workers=1, splits=(1.0, 0.0, 0.0), format=2)
    with pytest.raises(EchoAugmentError, match="no TRAIN video has 64 frames"):
        prepare(find_files(root), tmp_path, tmp_path / "work", videos=2, seed=0)
