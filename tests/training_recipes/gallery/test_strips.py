"""Thumbnails that move: the first moments of a clip, and the largest side whose page stays small."""

import io

import numpy as np
import pytest
from fakes.cache import write_clips
from fakes.echo import make_clip
from PIL import Image

from echo_augment.cache import ClipStore, StoreWriter
from echo_augment.training_recipes.gallery.strips import choose_side, make_strip, span


def test_a_strip_has_the_first_moments_of_a_clip_one_under_the_other(tmp_path):
    ramp = np.repeat(np.arange(64, dtype=np.uint8) * 3, 48 * 32).reshape(64, 48, 32)
    with StoreWriter(tmp_path / "cache") as writer:
        writer.add(make_clip(1, frames=8).__class__("slow", ramp[:8], 5.0))
        writer.add(make_clip(1).__class__("long", ramp, 25.0))
    store = ClipStore(tmp_path / "cache")
    assert span(store.lazy(0)) == (16, 1.6) and span(store.lazy(1)) == (8, 1.6)
    with Image.open(io.BytesIO(make_strip(store, 0, 24))) as picture:
        assert picture.format == "WEBP" and picture.size == (16, 24 * 16)
        levels = np.asarray(picture.convert("L")).reshape(16, 24, 16).mean((1, 2))
    expected = ramp[[int(k * 2.5) for k in range(16)], 0, 0]
    assert np.abs(levels - expected).max() < 4
    with Image.open(io.BytesIO(make_strip(store, 1, 112))) as picture:
        assert picture.size == (32, 48 * 8), "small frames are not enlarged"


def test_a_clip_of_one_frame_has_a_strip_of_one(tmp_path):
    store = write_clips(tmp_path, [make_clip(1, frames=1, ed_frame=0, es_frame=0)], fingerprint="")
    assert span(store.lazy(0)) == (1, 0.08)
    with Image.open(io.BytesIO(make_strip(store, 0, 16))) as picture:
        assert picture.size == (16, 16)


def test_a_strip_is_always_the_same_bytes(tmp_path):
    store = write_clips(tmp_path, [make_clip(1), make_clip(2)], fingerprint="")
    assert make_strip(store, 0, 12) == make_strip(store, 0, 12) != make_strip(store, 1, 12)


def test_the_largest_side_that_stays_small_enough_is_chosen(tmp_path):
    store = write_clips(tmp_path, [make_clip(k) for k in range(5)], fingerprint="")
    large, most = choose_side(store, 1e9, sides=(16, 12, 8))
    small, least = choose_side(store, 1.0, sides=(16, 12, 8))
    assert (large, small) == (16, 8) and 0 < least < most
    assert choose_side(store, most - 1, sides=(16, 12, 8))[0] == 12
    own = sum(len(make_strip(store, index, 16)) for index in range(5)) * 4 / 3
    assert most == pytest.approx(own), "base64 of all of them"
