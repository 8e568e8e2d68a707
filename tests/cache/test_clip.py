"""The clip record refuses what it cannot be."""

import json

import numpy as np
import pytest

from echo_augment.cache import EchoAugmentError, EchoClip, Provenance
from echo_augment.cache.clip import REAL, refuse_real

FRAMES = np.zeros((4, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames": FRAMES[0]}, r"must be \(T, H, W\) uint8, got \(8, 8\)"),
        ({"frames": FRAMES.astype(float)}, "got .* float64"),
        ({"frames": FRAMES[:0]}, r"got \(0, 8, 8\)"),
        ({"fps": 0.0}, "fps must be positive, got 0.0"),
        ({"fps": float("nan")}, "fps must be positive"),
        ({"ef": 100.5}, r"EF must be in \[0, 100\] percent, got 100.5"),
        ({"confidence": 1.1}, r"confidence must be in \[0, 1\], got 1.1"),
        ({"ed_frame": 4}, r"ed_frame 4 is outside 0..3"),
        ({"es_frame": -2}, "es_frame -2 is outside"),
        ({"masks": FRAMES}, "masks must be bool"),
        ({"masks": FRAMES[:2] > 0}, r"got bool \(2, 8, 8\)"),
    ],
)
def test_what_is_out_of_range_is_named(changes, words):
    with pytest.raises(EchoAugmentError, match=f"clip 'a': .*{words}"):
        EchoClip(**{"clip_id": "a", "frames": FRAMES, "fps": 25.0, **changes})


def test_taken_frames_are_a_copy():
    clip = EchoClip("a", FRAMES.copy(), 25.0)
    taken = clip.take(np.array([3, 0]))
    taken[:] = 9
    assert taken.shape == (2, 8, 8) and clip.frames.max() == 0 and clip.n_frames == 4


def test_a_provenance_comes_back_from_its_json():
    origin = Provenance("m", "a", 3, sampler="ddim-8", fingerprint="f", extra={"tempo": 1.5})
    assert Provenance.from_json(json.loads(json.dumps(origin.to_json()))) == origin


def test_a_store_of_real_clips_is_refused_where_synthetic_ones_are_wanted(tmp_path):
    refuse_real(tmp_path, "abc")
    with pytest.raises(EchoAugmentError, match="holds the real clips of a packed data set"):
        refuse_real(tmp_path, REAL)
