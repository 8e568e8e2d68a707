"""The mover: the border that is drawn as a mask is the border that the tissue shows, deformed or not."""

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom import sample_phantom
from echo_augment.augmentor.data.phantom.deformation import plane_shift_at
from echo_augment.augmentor.data.phantom.geometry import pose_at, profile, sides
from echo_augment.augmentor.data.phantom.mover import FARTHEST_TURN, Mover
from echo_augment.augmentor.data.phantom.sector import BEAMS, ROWS, make_sector
from echo_augment.augmentor.data.phantom.tissue import ABOVE, LEFT, TEXELS

TIMES = np.arange(0, 1.2, 0.1)


@pytest.mark.parametrize("format", [2, 3])
def test_what_the_mask_calls_border_is_the_heart_s_border_at_rest(format: int):
    """A sample of the beam beside the drawn border looks up the plate beside the border at rest, within a pixel."""
    heart = sample_phantom(9, format=format)
    view, sector = heart.appearance, make_sector(heart.appearance, 112)
    pose = pose_at(heart.motion, view, TIMES)
    move = Mover(heart.motion, view, sector, pose, None)
    septal, lateral = sides(heart.motion, view, pose, np.linspace(0.3, 0.9, 12))
    for frame in range(len(TIMES)):
        columns, rows = move(frame)
        for border, sign in ((septal[frame], -1), (lateral[frame], 1)):
            away = np.hypot(border[:, 0, None, None] - sector.x, border[:, 1, None, None] - sector.y)
            nearest = away.reshape(len(border), -1).argmin(axis=1)
            across, along = columns.ravel()[nearest] / TEXELS - LEFT, rows.ravel()[nearest] / TEXELS - ABOVE
            at_rest = sign * view.lv_width * profile(view, along / view.ed_length)
            assert np.abs(across - at_rest).max() < 1.2


def test_what_leaves_the_plane_turns_towards_the_next_slice():
    heart = sample_phantom(9)
    view, sector = heart.appearance, make_sector(heart.appearance, 112)
    pose = pose_at(heart.motion, view, TIMES)
    assert Mover(heart.motion, view, sector, pose, None).turn(3) is None
    move = Mover(heart.motion, view, sector, pose, plane_shift_at(heart.motion, TIMES))
    turns = np.stack([move.turn(frame) for frame in range(len(TIMES))])
    assert turns.shape == (len(TIMES), ROWS, BEAMS)
    assert np.abs(turns).max() <= FARTHEST_TURN and np.abs(turns).max() > 0.1
