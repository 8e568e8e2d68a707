"""Draw frames: the tissue carries scatterers, the beam sees them, levels in dB become grey."""

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .appearance import Appearance
from .courses import breath
from .deformation import plane_shift_at
from .geometry import Pose, sides
from .motion import Motion
from .mover import Mover
from .overlay import draw_overlay
from .rhythm import valve_opening
from .sector import BEAMS, ROWS, Sector, draw_marks, make_sector
from .tissue import lumps, make_plate

Image = npt.NDArray[np.floating[Any]]
Array = npt.NDArray[np.float64]
COMPOUND = np.array(
    [[0.55, 0.55, 0.45, 0.45]], np.float32
)  # weights of the two compounded pictures, real and imaginary
FLUTTER_HZ = 17.0  # of an open leaflet
LOBE = 25  # beams over which side lobes smear


def leaflets(
    motion: Motion,
    pose: Pose,
    hinges: tuple[Array, Array],
    frame: int,
    opening: float,
    flutter: float,
) -> list[Array]:
    """Return the two mitral leaflets of a frame as lines of points, each ``(N, 2)`` pixels of a 112x112 frame.

    Args:
        motion: the heart's motion.
        pose: where the heart is in each frame.
        hinges: septal and lateral end of the annulus, each ``(T, 2)`` pixels.
        frame: number of the frame.
        opening: 0 shut to 1 wide open.
        flutter: -1 to 1, where in its tremble a leaflet is.
    """
    septal, lateral = (hinge[frame] for hinge in hinges)
    apex = pose.apex[frame]
    lines = []
    for hinge, other, share, reach in ((septal, lateral, 0.58, 1.0), (lateral, septal, 0.42, 0.8)):
        span = np.linalg.norm(other - hinge)
        toward = (other - hinge) / span
        up = apex - 0.5 * (hinge + other)
        up = up / np.linalg.norm(up)
        leaf = share * span * 1.05
        tilt = 0.08 + opening * (1.2 * motion.leaflet_reach * reach + motion.leaflet_flutter * flutter)
        s = np.linspace(0, 1, 8)[:, None]
        curve = tilt * (0.5 + 0.5 * s)
        lines.append(hinge + leaf * s * (np.cos(curve) * toward + np.sin(curve) * up))
    return lines


def draw_leaflets(view: Appearance, lines: list[Array]) -> Image:
    """Draw lines of points in pixels on the polar grid, ``(ROWS, BEAMS)`` 0 to 1."""
    image = np.zeros((ROWS, BEAMS), np.uint8)
    for line in lines:
        dx, dy = line[:, 0] - view.origin_x, line[:, 1] - view.origin_y
        beam = (np.arctan2(dx, dy) + view.half_angle) / (2 * view.half_angle) * (BEAMS - 1)
        row = (np.hypot(dx, dy) - view.near_cut) / (view.depth - view.near_cut) * (ROWS - 1)
        fixed = np.round(np.stack([beam, row], axis=1) * 16).astype(np.int32)
        cv2.polylines(image, [fixed], False, 255, 1, cv2.LINE_AA, 4)
    return image.astype(np.float32) / 255


class Shade:
    """What the path of the sound takes from each sample: attenuation, edges, patches, dropout and shadow.

    Args:
        view: the appearance.
        sector: the grid of samples.
    """

    def __init__(self, view: Appearance, sector: Sector) -> None:
        rng = np.random.default_rng([view.speckle_seed, 13])
        self._view, self._bearing = view, sector.bearing
        self._level = -view.attenuation * sector.share + view.patchiness_db * 0.6 * lumps(rng, (ROWS, BEAMS), (34, 22))
        self._level = self._level - view.edge_db * sector.bearing**4
        self._streaks = 3 * cv2.GaussianBlur(rng.standard_normal((1, BEAMS)).astype(np.float32), (0, 0), 2.5)
        self._deep = np.minimum(1.5 * sector.share, 1)
        self._kept: Image | None = None

    def __call__(self, sway: float) -> Image:
        """Return the amplitude ``(ROWS, BEAMS, 1)`` that is left when dropout and shadow are moved by ``sway``."""
        if self._kept is not None:
            return self._kept
        view = self._view
        drop = np.exp(-0.5 * ((self._bearing - view.dropout_angle - sway) / view.dropout_width) ** 2)
        level = self._level - view.dropout_db * drop * self._deep
        if view.shadow_db:
            off = (self._bearing - view.shadow_angle + sway) / view.shadow_width
            level -= view.shadow_db * np.exp(-0.5 * off**4)
        gain = np.asarray(level + self._streaks, np.float32)
        amplitude: Image = np.power(10, gain / 20, dtype=np.float32)[..., None]
        if not view.shade_sway:
            self._kept = amplitude
        return amplitude


class Slices:
    """The tissue in the plane of view and, where the heart leaves it, in the slice beside.

    Args:
        view: the appearance.
        seed: as `render` has it.
        move: which point of the heart each sample meets.
    """

    def __init__(self, view: Appearance, seed: int, move: Mover) -> None:
        self._move = move
        count = 1 if move.plane is None else 2
        self._plates = [make_plate(view, seed, number).scatterers for number in range(count)]

    def __call__(self, frame: int) -> Image:
        """Return the scatterers at each sample, ``(ROWS, BEAMS, 4)``."""
        place, turn = self._move(frame), self._move.turn(frame)
        seen = [cv2.remap(one, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) for one in self._plates]
        if turn is None:
            return np.asarray(seen[0], np.float32)
        return np.asarray(seen[0] * np.cos(turn)[..., None] + seen[1] * np.sin(turn)[..., None], np.float32)


class Haze:
    """Clutter and haze that stay where they are while the heart moves.

    Args:
        view: the appearance.
        sector: the grid of samples.
        rng: of this clip.
    """

    def __init__(self, view: Appearance, sector: Sector, rng: np.random.Generator) -> None:
        clutter_level = view.clutter_db - 8.7 * sector.share * view.depth / view.clutter_depth
        still = rng.standard_normal((ROWS, BEAMS, 4), dtype=np.float32)
        haze = np.power(10, view.haze_db / 20) * (1 - 0.5 * sector.bearing**2)
        level = np.power(10, clutter_level / 20) + haze
        if view.haze_patches_db:
            patches = lumps(np.random.default_rng([view.speckle_seed, 14]), (ROWS, BEAMS), (30, 24))
            level = level * np.power(10, view.haze_patches_db * patches / 20)
        still *= level.astype(np.float32)[..., None]
        self.still = still


def grey_of(view: Appearance, power: Image) -> Image:
    """Return the grey value, 0 to 1, of a power: gain, dynamic range, gamma and knee."""
    level = (10 / np.log(10)) * cv2.log(power + 1e-9) + view.gain_db
    grey = np.clip(level / view.dynamic_range + 1, 0, 1) ** view.gamma
    if view.knee:
        grey = grey + view.knee * (grey * grey * (3 - 2 * grey) - grey)
    return np.asarray(grey)


def draw_frames(
    motion: Motion, view: Appearance, pose: Pose, times: Array, seed: int, image_size: int
) -> npt.NDArray[np.uint8]:
    """Draw the frames that `render` shows, ``(T, image_size, image_size)`` uint8."""
    sector, rng = make_sector(view, image_size), np.random.default_rng([view.speckle_seed, seed, 11])
    plane = plane_shift_at(motion, times) if view.elevation else None
    slices, shade = Slices(view, seed, Mover(motion, view, sector, pose, plane)), Shade(view, sector)
    still = Haze(view, sector, rng).still
    noise_level = np.power(10, (view.noise_db + view.noise_slope * sector.share) / 20, dtype=np.float32)[..., None]
    marks = np.maximum(draw_marks(view, image_size), draw_overlay(view, image_size))
    opening, flutter = valve_opening(motion, times), np.sin(2 * np.pi * FLUTTER_HZ * times)
    septal, lateral = sides(motion, view, pose, np.array([1.0]))
    hinges = septal[:, 0], lateral[:, 0]
    sways = view.shade_sway * breath(motion, times)
    sigma = (view.psf_lateral / 100 / sector.beam_step, view.psf_axial / sector.row_step)
    loud = np.float32(np.sqrt(4 * np.pi * sigma[0] * sigma[1]))
    valve_level = np.float32(10 ** (view.valve_db / 20))
    valve_speckle = rng.standard_normal((ROWS, BEAMS, 4), dtype=np.float32) + 0.4
    valve_speckle *= np.clip(0.7 + 0.6 * lumps(rng, (ROWS, BEAMS), (5, 7)), 0.1, 1.6)[..., None]
    shown = np.empty((len(times), image_size, image_size), np.uint8)
    kept: Image | None = None
    for t in range(len(times)):
        field = slices(t) * shade(float(sways[t]))
        leaves = draw_leaflets(view, leaflets(motion, pose, hinges, t, float(opening[t]), float(flutter[t])))
        field += valve_speckle * (leaves * (1 - 0.5 * opening[t]) * valve_level).astype(np.float32)[..., None]
        if view.side_lobes:
            field += cv2.blur(field, (LOBE, 1)) * np.float32(view.side_lobes * math.sqrt(LOBE))
        field += still
        seen = cv2.GaussianBlur(field, (0, 0), sigmaX=sigma[0], sigmaY=sigma[1]) * loud
        seen[..., :2] += rng.standard_normal((ROWS, BEAMS, 2), dtype=np.float32) * noise_level
        grey = grey_of(view, np.asarray(cv2.transform(cv2.multiply(seen, seen), COMPOUND), np.float32))
        kept = grey if kept is None else view.persistence * kept + (1 - view.persistence) * grey
        image = cv2.remap(kept, sector.to_beam, sector.to_row, cv2.INTER_CUBIC) * sector.window
        if view.smoothing:
            image = cv2.GaussianBlur(image, (0, 0), view.smoothing * image_size / 112) * sector.window
        shown[t] = np.clip(np.maximum(image * 255, marks) + 0.5, 0, 255).astype(np.uint8)
    return shown
