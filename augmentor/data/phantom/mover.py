"""Which point of the heart at rest a beam meets at a time, and how far it has moved through the plane of view."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .appearance import Appearance
from .deformation import PlaneShift
from .geometry import Pose, centre_line, from_view_step, profile, side_strain, to_view
from .motion import Motion
from .sector import BEAMS, ROWS, Sector
from .tissue import ABOVE, LEFT, TEXELS

Image = npt.NDArray[np.floating[Any]]
TABLE = 1024  # entries of the half-width table along the axis
FARTHEST_TURN = 1.45  # radians from the slice at rest to the one beside it: a quarter turn is another slice altogether


class Mover:
    """Find, for each sample of the sector, which point of the ED heart has moved there.

    Args:
        motion: the heart's motion.
        view: anatomy and view.
        sector: the grid of samples.
        pose: where the heart is in each frame.
        plane: its movement through the plane of view; None for none.
    """

    def __init__(self, motion: Motion, view: Appearance, sector: Sector, pose: Pose, plane: PlaneShift | None) -> None:
        self.view, self.sector, self.pose, self.plane = view, sector, pose, plane
        places = to_view(view, np.stack([sector.x.ravel(), sector.y.ravel()], axis=1))
        if pose.deformation is not None:
            self.shapes = pose.deformation.shapes(places).T.astype(np.float32)
            self.directions = from_view_step(view, pose.deformation.directions)
        if plane is not None:
            self.turns = (plane.basis(places) * (view.ed_length / view.elevation)).astype(np.float32)
        x = np.linspace(0, 1, TABLE)
        self.widest = (view.lv_width * profile(view, x)).astype(np.float32)
        self.bend = centre_line(view, x).astype(np.float32)
        self.strains = [side_strain(motion, x, side).astype(np.float32) for side in (-1, 1)]

    def turn(self, frame: int) -> Image | None:
        """Return how far each sample has left its slice, ``(ROWS, BEAMS)`` radians; None where nothing leaves it."""
        if self.plane is None:
            return None
        turned = self.plane.courses[frame].astype(np.float32) @ self.turns / np.float32(FARTHEST_TURN)
        return np.asarray(np.tanh(turned).reshape(ROWS, BEAMS) * np.float32(FARTHEST_TURN))

    def __call__(self, frame: int) -> tuple[Image, Image]:
        """Return ``(column, row)`` in the plate for every sample, each ``(ROWS, BEAMS)`` float32."""
        view, pose = self.view, self.pose
        ed_length, length = np.float32(view.ed_length), np.float32(pose.length[frame])
        sine, cosine = np.float32(np.sin(pose.angle[frame])), np.float32(np.cos(pose.angle[frame]))
        dx, dy = self.sector.x - np.float32(pose.apex[frame, 0]), self.sector.y - np.float32(pose.apex[frame, 1])
        if pose.deformation is not None:
            weights = (pose.deformation.courses[frame][:, None] * self.directions).astype(np.float32)
            step = (weights.T @ self.shapes).reshape(2, ROWS, BEAMS)
            dx -= step[0]
            dy -= step[1]
        across, along = cosine * dx - sine * dy, sine * dx + cosine * dy
        below = np.maximum(along - length, 0)
        fade = np.exp(below * (-1.6 / ed_length))
        ed_along = np.where(along < 0, along, np.minimum(along, length) * (ed_length / length))
        ed_along += below - (ed_length - length) * (1 - fade) * (below > 0)
        index = np.clip(ed_along * ((TABLE - 1) / ed_length), 0, TABLE - 1).astype(np.int32)
        across -= self.bend[index]
        ed_half = self.widest[index] * (ed_along > 0)
        moves = (min(float(pose.septal[frame]), 1.3), min(float(pose.lateral[frame]), 1.3))
        tables = [1 - np.minimum(s * np.float32(m), 0.85) for s, m in zip(self.strains, moves, strict=True)]
        scale = np.where(across < 0, tables[0][index], tables[1][index])
        half, reach = ed_half * scale, np.abs(across)
        gap = np.maximum(reach - half, 0)
        swell = (ed_half * ed_half - half * half) * np.exp(gap * np.float32(-1 / (1.4 * view.lv_width))) * fade
        ed_reach = np.where(reach < half, reach / scale, np.sqrt(reach * reach + swell))
        return (np.copysign(ed_reach, across) + LEFT) * np.float32(TEXELS), (ed_along + ABOVE) * np.float32(TEXELS)
