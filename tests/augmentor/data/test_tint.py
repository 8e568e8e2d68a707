"""Colours come back from grey levels exactly, whichever way they are computed."""

import numpy as np
import pytest

from echo_augment.augmentor.data.packed import Tint, tint_tables

LEVELS = np.arange(256)
GREY = np.random.default_rng(0).integers(0, 256, (3, 12, 16), dtype=np.uint8)


def moved(shift):
    return np.clip(LEVELS + shift, 0, 255).astype(np.uint8)


def test_tints():
    luma = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    rgb = np.stack([luma, luma, luma], axis=-1)
    assert tint_tables(luma, rgb) == {}
    rgb[..., 0] //= 2
    assert list(tint_tables(luma, rgb)) == ["red"]
    two = np.concatenate([luma, luma])
    rgb = np.concatenate([rgb, rgb + np.uint8(1)])
    assert tint_tables(two, rgb) is None


@pytest.mark.parametrize("red", [None, moved(-2), moved(1), moved(-200), moved(0), (LEVELS // 2).astype(np.uint8)])
@pytest.mark.parametrize("blue", [None, moved(-2), moved(100), np.roll(moved(0), 1), (255 - LEVELS).astype(np.uint8)])
@pytest.mark.parametrize("shape", [(3, 12, 16), (2, 1, 1), (4, 1, 9), (0, 5, 5)])
def test_every_channel_is_its_table(red, blue, shape):
    tables = {name: table for name, table in (("red", red), ("blue", blue)) if table is not None}
    grey = np.resize(GREY, shape)
    colours = Tint(tables)(grey)
    assert colours.shape == (*shape, 3) and colours.dtype == np.uint8
    for place, table in enumerate((red, None, blue)):
        assert np.array_equal(colours[..., place], grey if table is None else table[grey])
        assert colours[..., place].flags.c_contiguous
