"""What a sample draws: where clips start, corners, noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.augmentor.data.sampling import choose, clip_length, crop_padded
from echo_augment.cache.errors import EchoAugmentError

SETTINGS = {"period": 2, "max_length": 250, "pad": 3, "noise": None}


@settings(max_examples=40, deadline=None)
@given(pad=st.integers(1, 9), down=st.integers(0, 17), right=st.integers(0, 17))
def test_cropping_equals_padding_and_slicing(pad, down, right):
    down, right = min(down, 2 * pad - 1), min(right, 2 * pad - 1)
    clip = np.arange(2 * 6 * 5, dtype=np.float32).reshape(2, 6, 5) + 1
    border = np.pad(clip, ((0, 0), (pad, pad), (pad, pad)))
    assert np.array_equal(crop_padded(clip, pad, (down, right)), border[:, down : down + 6, right : right + 5])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 120), st.one_of(st.none(), st.integers(1, 40)), st.integers(1, 5), st.integers(0, 2**31))
def test_starts_are_where_a_clip_fits(frames, length, period, seed):
    arguments = {**SETTINGS, "period": period, "length": length}
    if length is None and frames < period:
        with pytest.raises(EchoAugmentError, match=f"{frames} frames gives no clip with period {period}"):
            choose(np.random.default_rng(seed), frames, clips=1, **arguments)
        return
    choice = choose(np.random.default_rng(seed), frames, clips=5, **arguments)
    places = max(frames, choice.length * period) - (choice.length - 1) * period
    assert all(0 <= start < places for start in choice.starts) and len(choice.starts) == 5
    assert all(0 <= value < 6 for value in choice.corner)
    everything = choose(np.random.default_rng(seed), frames, clips="all", **arguments)
    assert everything.starts == tuple(range(places))


def test_every_start_and_corner_is_drawn():
    starts, corners = set(), set()
    for seed in range(400):
        choice = choose(np.random.default_rng(seed), 40, length=16, clips=1, **SETTINGS)
        starts |= set(choice.starts)
        corners |= set(choice.corner)
    assert starts == set(range(10)) and corners == set(range(6))
    assert clip_length(1000, None, 2, 250) == 250
