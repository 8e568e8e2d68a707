"""Contact sheets: every tile is where it belongs, films move, and files appear whole."""

import io

import numpy as np
import pytest
from PIL import Image

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip, Provenance, StoreWriter
from echo_augment.training_recipes.common.contact_sheet import (
    BACKGROUND,
    GAP,
    Tile,
    caption,
    choose_clips,
    draw_film,
    draw_sheet,
    gif,
    in_rows,
    png,
    spread,
    strip,
    write_picture,
)


def flat(level, frames=1, height=40, width=60):
    return np.full((frames, height, width), level, np.uint8)


def test_places_are_spread_from_the_first_to_the_last():
    assert spread(16, 4).tolist() == [0, 5, 10, 15] and spread(3, 8).tolist() == [0, 1, 2] and spread(5, 1).size == 1


def test_a_strip_has_frames_side_by_side():
    frames = np.concatenate([flat(10 * k) for k in range(8)])
    assert strip(frames, 3).shape == (1, 40, 180)
    assert np.unique(strip(frames, 3)).tolist() == [0, 40, 70]


def test_every_tile_is_drawn_in_its_row_and_column():
    sheet = draw_sheet(in_rows([Tile("a", flat(90)), Tile("b", flat(150)), Tile("c", flat(210))], 2))
    band = (sheet.height - GAP) // 2 - 40
    assert sheet.mode == "L" and sheet.width == 2 * 60 + GAP
    pixels = np.asarray(sheet)
    assert (pixels[band : band + 40, :60] == 90).all() and (pixels[band : band + 40, 60 + GAP :] == 150).all()
    assert (pixels[-40:, :60] == 210).all() and (pixels[-40:, 60 + GAP :] == int(BACKGROUND[1:3], 16)).all()
    assert pixels[:band].max() > 150, "the captions"


def test_pictures_are_scaled_to_one_height():
    sheet = draw_sheet(
        [[Tile("a", flat(90, height=40, width=60)), Tile("b", flat(90, height=20, width=20))]], height=80
    )
    assert sheet.width == 2 * 120 + GAP and (np.asarray(sheet)[-80:, 120 + GAP : 120 + GAP + 80] == 90).all()


def test_one_coloured_tile_makes_the_sheet_coloured():
    red = np.zeros((1, 40, 60, 3), np.uint8)
    red[..., 0] = 200
    sheet = draw_sheet([[Tile("a", red), Tile("b", flat(90))]])
    assert sheet.getpixel((5, sheet.height - 1)) == (200, 0, 0)
    assert sheet.getpixel((sheet.width - 1, sheet.height - 1)) == (90, 90, 90)


def test_a_film_is_as_long_as_its_longest_clip_and_shorter_ones_start_again():
    long, short = (np.concatenate([flat(20 * k) for k in range(count)]) for count in (3, 2))
    film = draw_film([[Tile("a", long), Tile("b", short)]])
    ends = [
        (image.getpixel((0, image.height - 1)), image.getpixel((image.width - 1, image.height - 1))) for image in film
    ]
    assert ends == [(0, 0), (20, 20), (40, 0)]


def test_a_caption_of_more_lines_gets_more_room():
    one, two = (draw_sheet([[Tile(text, flat(0))]]) for text in ("a", "a\nb"))
    assert two.height > one.height + 10


def test_files_open_again_as_what_was_drawn(tmp_path):
    film = draw_film([[Tile("a", np.concatenate([flat(90), flat(180)]))]])
    write_picture(tmp_path / "new" / "a.png", png(film[0]))
    with Image.open(tmp_path / "new" / "a.png") as sheet:
        assert np.array_equal(np.asarray(sheet), np.asarray(film[0]))
    with Image.open(io.BytesIO(gif(film, 12.5))) as moving:
        assert moving.n_frames == 2 and moving.info["duration"] == 80 and moving.info["loop"] == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


@pytest.fixture
def store(tmp_path):
    with StoreWriter(tmp_path / "cache") as writer:
        for k, ef in enumerate((60.0, np.nan, 30.0, 45.0)):
            writer.add(EchoClip(f"c{k}", flat(0, 4, 8, 8), 12.5, ef=ef))
    return ClipStore(tmp_path / "cache")


def test_clips_are_chosen_by_ef_unlabelled_ones_last(store):
    assert [clip.clip_id for clip in choose_clips(store, 9)] == ["c2", "c3", "c0", "c1"]
    assert [clip.clip_id for clip in choose_clips(store, 2)] == ["c2", "c1"]
    with pytest.raises(EchoAugmentError, match="cannot show 0 of the 4 clips"):
        choose_clips(store, 0)


def test_a_caption_names_the_donors_or_the_real_clip():
    made = EchoClip("m", flat(0), 12.5, ef=41.6, provenance=Provenance("A", "B", 1, fingerprint="f"))
    assert caption(made) == ["EF 42 %", "motion A", "appearance B"]
    assert caption(EchoClip("r", flat(0), 12.5)) == ["EF ?", "r"]
