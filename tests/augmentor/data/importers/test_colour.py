"""Colour is told from a tint; flow from a marker; luma and chroma are JPEG's."""

import numpy as np
import pytest
from PIL import Image

from echo_augment.augmentor.data.importers.colour import box_of, count_colour, off_the_tint, to_ycbcr

RED, BLUE = (100, 220), (220, 100)  # blue and red chroma


def grey(shape=(60, 80)):
    """Luma of all levels from left to right, without colour."""
    frame = np.full((*shape, 3), 128, np.uint8)
    frame[..., 0] = np.linspace(0, 255, shape[1]).astype(np.uint8)
    return frame


def with_box(frame, chroma, box=(20, 10, 40, 30)):
    x0, y0, x1, y1 = box
    frame[y0:y1, x0:x1, 1:] = chroma
    return frame


def box_mask(box=(20, 10, 40, 30), shape=(60, 80)):
    mask = np.zeros(shape, np.bool_)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


def test_no_frames_have_no_colour():
    assert count_colour([]) is None


def test_flow_changes_its_colour_and_a_marker_does_not():
    flow = count_colour(with_box(grey(), RED if index % 2 else BLUE) for index in range(4))
    assert flow.is_flow() and np.array_equal(flow.moves, box_mask())
    marker = count_colour(with_box(grey(), RED) for _ in range(4))
    assert not marker.is_flow() and not marker.moves.any() and np.array_equal(marker.ever, box_mask())


def test_little_or_thin_change_is_no_flow():
    small, thin = (20, 10, 24, 12), (20, 10, 80, 11)  # 8 pixels; a line
    for box in (small, thin):
        found = count_colour(with_box(grey(), RED if index % 2 else BLUE, box) for index in range(4))
        assert found.moves.any() and not found.is_flow()


def test_what_is_coloured_now_and_then_is_not_always():
    found = count_colour([with_box(grey(), RED), grey(), with_box(grey(), RED, (0, 0, 5, 5))])
    assert found.ever.sum() == 400 + 25 and not found.always.any()


def test_the_frames_given_stay_as_they_are():
    frames = [with_box(grey(), RED), with_box(grey(), BLUE)]
    before = [frame.copy() for frame in frames]
    count_colour(frames)
    assert all(np.array_equal(one, other) for one, other in zip(frames, before, strict=True))


def test_a_tint_of_every_level_is_no_colour_and_flow_on_it_is():
    ramp = grey()[..., 0]
    tint = np.stack([ramp, 128 - ramp // 4, 128 + ramp // 5], axis=-1)
    assert not off_the_tint(tint).any()
    assert np.array_equal(off_the_tint(with_box(tint, BLUE)), box_mask())


def test_grey_pixels_of_rare_levels_are_no_colour():
    frame = np.full((60, 80, 3), 128, np.uint8)
    frame[..., 0] = 20
    frame[:4, :8] = (200, 60, 200)  # a marker, most of the bright pixels
    frame[30, 40] = (201, 128, 128)
    found = off_the_tint(frame)
    assert found[:4, :8].all() and found.sum() == 32


def test_luma_and_chroma_are_those_of_jpeg():
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    found, pillow = to_ycbcr(rgb).astype(int), np.asarray(Image.fromarray(rgb).convert("YCbCr")).astype(int)
    assert found.shape == rgb.shape and np.abs(found - pillow).max() <= 1


@pytest.mark.parametrize(("rgb", "ycbcr"), [((0, 0, 0), (0, 128, 128)), ((255, 255, 255), (255, 128, 128)),
                                            ((255, 0, 0), (76, 85, 255)), ((0, 0, 255), (29, 255, 107))])  # fmt: skip
def test_corners_of_the_cube(rgb, ycbcr):
    assert to_ycbcr(np.array([rgb], np.uint8))[0].tolist() == list(ycbcr)


def test_a_box_is_upright_and_filled():
    mask = np.zeros((6, 8), np.bool_)
    mask[1, 5] = mask[4, 2] = True
    assert np.array_equal(box_of(mask), box_mask((2, 1, 6, 5), (6, 8)))
    assert not box_of(np.zeros((6, 8), np.bool_)).any()
