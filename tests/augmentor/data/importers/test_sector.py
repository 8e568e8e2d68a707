"""The sector is found, all beside it is black, and nothing legible is left inside."""

import cv2
import numpy as np
import pytest

from echo_augment.augmentor.data.importers.records import Left
from echo_augment.augmentor.data.importers.sector import cut, find_sector, fit, fitted
from tests.fakes.cines import LETTERS, beating, letters, sector_mask, with_ecg, with_letters

LUMA = beating(30)
SECTOR = sector_mask()


def through_a_codec(luma, quality):
    return np.stack([cv2.imdecode(cv2.imencode(".jpg", frame, [1, quality])[1], 0) for frame in luma])


def whole(luma, **settings):
    """The clip and its sector, put back to where it was in the picture."""
    sector = find_sector(luma, **settings)
    x0, y0, x1, y1 = sector.box
    result = np.zeros_like(luma)
    result[:, y0:y1, x0:x1] = cut(luma, sector)
    return result, sector


def test_a_clean_sector_is_kept_as_it_is():
    kept, sector = whole(LUMA)
    assert sector.masked == 0 and sector.notes == ()
    missing = (LUMA.max(axis=0) > 30) & (kept.max(axis=0) == 0)
    assert missing.mean() < 0.002
    seen = kept > 0
    assert np.array_equal(kept[seen], LUMA[seen])


@pytest.mark.parametrize("quality", [None, 90, 60])
def test_letters_beside_the_sector_are_gone(quality):
    drawn = with_letters(with_letters(LUMA), "Hosp 1234", (200, 235))
    kept, _ = whole(drawn if quality is None else through_a_codec(drawn, quality))
    beside = letters((240, 320)) | letters((240, 320), "Hosp 1234", (200, 235))
    assert kept[:, beside & ~SECTOR].max() == 0


@pytest.mark.parametrize("quality", [None, 90, 60])
@pytest.mark.parametrize("text", [LETTERS, "19:43", "LV"])
def test_letters_in_the_sector_are_whole_black_blocks(text, quality):
    drawn = with_letters(LUMA, text, (110, 150))
    kept, sector = whole(drawn if quality is None else through_a_codec(drawn, quality))
    where = letters((240, 320), text, (110, 150))
    assert kept[:, where].max() == 0
    rows, columns = np.nonzero(where)
    block = kept[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (block.max(axis=0) == 0).mean() > 0.9, "letters must not be left as black letters"
    assert 0 < sector.masked < 0.2


@pytest.mark.parametrize("quality", [None, 60])
@pytest.mark.parametrize("base", [190, 225])
def test_a_running_ecg_is_gone(base, quality):
    drawn = with_ecg(LUMA, base)
    kept, _ = whole(drawn if quality is None else through_a_codec(drawn, quality))
    line = (drawn.max(axis=0) > 200) & (LUMA.max(axis=0) < 180)
    assert kept.max(axis=0)[line].max() < 180 and (kept.max(axis=0)[line] == 0).mean() > 0.95


def test_a_region_is_believed():
    two = np.concatenate([LUMA, LUMA[:, :, ::-1]], axis=2)
    sector = find_sector(two, region=(320, 0, 640, 240))
    assert 320 <= sector.box[0] < sector.box[2] <= 640 and sector.notes == ()
    assert "2 panels move" in find_sector(two).notes[0]


def test_a_screen_with_a_small_sector_is_told():
    screen = np.zeros((30, 600, 800), np.uint8)
    screen[:, 300:540, 400:720] = LUMA
    assert find_sector(screen).notes == ("95% of the picture does not move or is not sector",)


def test_what_stands_still_is_no_clip():
    with pytest.raises(Left) as found:
        find_sector(np.repeat(LUMA[:1], 20, axis=0))
    assert found.value.kind == "still"


def test_coloured_pixels_are_black():
    drawn = np.zeros((240, 320), np.bool_)
    drawn[100:120, 150:170] = True
    kept, _ = whole(LUMA, drawn=drawn)
    assert kept[:, drawn].max() == 0


@pytest.mark.parametrize("shape", [(240, 320), (300, 100), (56, 56), (112, 112)])
def test_fit_keeps_the_aspect(shape):
    made = fit(np.full((2, *shape), 200, np.uint8), 112)
    top, left, rows, columns = fitted(*shape, 112)
    assert made.shape == (2, 112, 112) and max(rows, columns) == 112
    assert (made[:, top : top + rows, left : left + columns] == 200).all() and made.sum() == 2 * 200 * rows * columns
