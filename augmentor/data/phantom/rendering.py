"""Render a motion and an appearance as frames: the tissue carries scatterers, the beam sees them, dB become grey."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache.arguments import check_number, check_seed, check_whole

from .appearance import Appearance
from .geometry import Pose, centre_line, contour, lv_volumes, pose_at, profile, side_strain, sides, to_image, trace
from .motion import Motion
from .rhythm import labelled_frames, valve_opening
from .sector import BEAMS, ROWS, Sector, draw_marks, make_sector
from .tissue import ABOVE, LEFT, TEXELS, Plate, lumps, make_plate

Image = npt.NDArray[np.floating[Any]]
Array = npt.NDArray[np.float64]
COMPOUND = np.array(
    [[0.55, 0.55, 0.45, 0.45]], np.float32
)  # weights of the two compounded pictures, real and imaginary
MOST_FPS, LATEST_START = 1e4, 1e4
TABLE = 1024  # entries of the half-width table along the axis


@dataclass(frozen=True, slots=True, eq=False)
class PhantomClip:
    """A rendered clip with its exact labels.

    Attributes:
        frames: ``(T, H, W)`` uint8.
        masks: ``(T, H, W)`` bool, the LV cavity as drawn.
        fps: frames per second.
        ef: ejection fraction in percent, from the ED and ES contours by method of discs.
        edv: end-diastolic volume, mL.
        esv: end-systolic volume, mL.
        ed_frame: ED frame of the labelled beat (the first whose ED and ES both lie in the clip) or, in a clip too
            short for that, the frame of the largest volume. At a low fps no frame shows the exact ED or ES, so the EF
            drawn is a little below the heart's (about 1 point at 12.5 fps).
        es_frame: ES frame of the labelled beat, or the frame of the smallest volume.
        volumes: ``(T,)`` LV volume, mL.
        tracings: ``(T, 21, 4)`` x1, y1, x2, y2 in pixels, the long axis first.
    """

    frames: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.bool_]
    fps: float
    ef: float
    edv: float
    esv: float
    ed_frame: int
    es_frame: int
    volumes: Array
    tracings: Array

    def tracing(self, frame: int) -> Array:
        """Return EchoNet's tracing of a frame, ``(21, 4)``: the long axis from the apex, then 20 chords to the base."""
        return np.asarray(self.tracings[frame])


@dataclass(frozen=True, slots=True, eq=False)
class VolumeCurve:
    """Labels of a clip without its pixels, as `volume_curve` gives them; fields as in `PhantomClip`."""

    times: Array
    volumes: Array
    ef: float
    edv: float
    esv: float
    ed_frame: int
    es_frame: int


def frame_times(num_frames: int, fps: float, start: float) -> Array:
    """Return the time of each frame in seconds, ``(T,)``, or raise EchoAugmentError if a value is out of range."""
    check_whole("num_frames", num_frames, 1)
    check_number("fps", fps, 0, MOST_FPS, above_low=True)
    check_number("start", start, 0, LATEST_START, unit="seconds")
    return np.asarray(start + np.arange(num_frames) / fps, np.float64)


def volume_curve(
    motion: Motion, appearance: Appearance, *, num_frames: int = 100, fps: float = 50.0, start: float = 0.0
) -> VolumeCurve:
    """Return the labels that `render` gives with the same arguments, in under a millisecond and without pixels.

    Raises:
        EchoAugmentError: an argument is out of range.
    """
    times = frame_times(num_frames, fps, start)
    volumes = lv_volumes(motion, appearance, times)
    ed, es = labelled_frames(motion, times, volumes)
    edv, esv = float(volumes[ed]), float(volumes[es])
    return VolumeCurve(times, volumes, max(0.0, 100 * (edv - esv) / edv), edv, esv, ed, es)


def render(
    motion: Motion,
    appearance: Appearance,
    *,
    num_frames: int = 100,
    fps: float = 50.0,
    seed: int = 0,
    image_size: int = 112,
    start: float = 0.0,
) -> PhantomClip:
    """Render a heart as a clip with masks and labels; a pure function of the arguments.

    >>> from echo_augment.augmentor.data.phantom import sample_phantom
    >>> heart = sample_phantom(7)
    >>> clip = render(heart.motion, heart.appearance, num_frames=80)
    >>> clip.frames.shape, clip.masks.shape, clip.tracing(clip.ed_frame).shape
    ((80, 112, 112), (80, 112, 112), (21, 4))
    >>> round(clip.ef), clip.ed_frame, clip.es_frame
    (58, 40, 57)

    Args:
        motion: motion of the heart.
        appearance: anatomy, view and scanner.
        num_frames: frames to render, 1 or more.
        fps: frames per second, above 0.
        seed: seed of scatterers and noise; 0 keeps the speckle of the heart itself.
        image_size: height and width in pixels, 16 to 1024.
        start: time of the first frame, in seconds of the motion.

    Raises:
        EchoAugmentError: an argument is out of range.
    """
    check_whole("image_size", image_size, 16, 1024)
    check_seed(seed)
    curve = volume_curve(motion, appearance, num_frames=num_frames, fps=fps, start=start)
    pose = pose_at(motion, appearance, curve.times)
    masks = np.stack([draw_mask(contour(motion, appearance, pose, t), image_size) for t in range(num_frames)])
    with one_thread():
        shown = draw_frames(motion, appearance, pose, curve.times, seed, image_size)
    return PhantomClip(
        frames=shown,
        masks=masks,
        fps=float(fps),
        ef=curve.ef,
        edv=curve.edv,
        esv=curve.esv,
        ed_frame=curve.ed_frame,
        es_frame=curve.es_frame,
        volumes=curve.volumes,
        tracings=np.stack([trace(motion, appearance, pose, t) for t in range(num_frames)]) * (image_size / 112),
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: on small images threads only wait for each other. The pixels are the same."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def draw_mask(points: Array, image_size: int) -> npt.NDArray[np.bool_]:
    """Fill a closed border (``(N, 2)`` pixels of a 112x112 frame) as a square bool mask."""
    image = np.zeros((image_size, image_size), np.uint8)
    fixed = np.round(((points + 0.5) * (image_size / 112) - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(image, [fixed], 1, shift=4)
    return image.astype(bool)


class Mover:
    """Find, for each sample of the sector, which point of the ED heart has moved there."""

    def __init__(self, motion: Motion, view: Appearance, sector: Sector) -> None:
        self.motion, self.view, self.sector = motion, view, sector
        x = np.linspace(0, 1, TABLE)
        self.widest = (view.lv_width * profile(view, x)).astype(np.float32)
        self.bend = centre_line(view, x).astype(np.float32)
        self.strains = [side_strain(motion, x, side).astype(np.float32) for side in (-1, 1)]

    def __call__(self, pose: Pose, frame: int) -> tuple[Image, Image]:
        """Return ``(column, row)`` in the plate for every sample, each ``(ROWS, BEAMS)`` float32."""
        view, ed_length, length = self.view, np.float32(self.view.ed_length), np.float32(pose.length[frame])
        sine, cosine = np.float32(np.sin(pose.angle[frame])), np.float32(np.cos(pose.angle[frame]))
        dx, dy = self.sector.x - np.float32(pose.apex[frame, 0]), self.sector.y - np.float32(pose.apex[frame, 1])
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


def leaflets(motion: Motion, view: Appearance, pose: Pose, frame: int, opening: float) -> list[Array]:
    """Return the two mitral leaflets of a frame as lines of points, each ``(N, 2)`` pixels of a 112x112 frame."""
    septal, lateral = sides(motion, view, pose, frame, np.array([1.0]))
    lines = []
    for hinge, other, share, reach in ((septal[0], lateral[0], 0.58, 1.0), (lateral[0], septal[0], 0.42, 0.8)):
        span = np.linalg.norm(other - hinge)
        toward = (other - hinge) / span
        up = to_image(view, pose, frame, np.array(0.0), np.array(0.0)) - 0.5 * (hinge + other)
        up = up / np.linalg.norm(up)
        leaf = share * span * 1.05
        tilt = 0.08 + opening * 1.2 * reach
        s = np.linspace(0, 1, 8)[:, None]
        curve = tilt * (0.5 + 0.5 * s)
        lines.append(hinge + leaf * s * (np.cos(curve) * toward + np.sin(curve) * up))
    return lines


def gain_map(view: Appearance, sector: Sector, rng: np.random.Generator) -> Image:
    """Return the dB that the path of the sound adds to each sample, ``(ROWS, BEAMS)``."""
    level = -view.attenuation * sector.share + view.patchiness_db * 0.6 * lumps(rng, (ROWS, BEAMS), (34, 22))
    drop = np.exp(-0.5 * ((sector.bearing - view.dropout_angle) / view.dropout_width) ** 2)
    level = level - view.edge_db * sector.bearing**4
    streaks = cv2.GaussianBlur(rng.standard_normal((1, BEAMS)).astype(np.float32), (0, 0), 2.5)
    return np.asarray(level - view.dropout_db * drop * np.minimum(1.5 * sector.share, 1) + 3 * streaks, np.float32)


def draw_frames(
    motion: Motion, view: Appearance, pose: Pose, times: Array, seed: int, image_size: int
) -> npt.NDArray[np.uint8]:
    """Draw the frames that `render` shows, ``(T, image_size, image_size)`` uint8."""
    sector, plate = make_sector(view, image_size), make_plate(view, seed)
    rng = np.random.default_rng([view.speckle_seed, seed, 11])
    gain = gain_map(view, sector, np.random.default_rng([view.speckle_seed, 13]))
    amplitude = np.power(10, gain / 20, dtype=np.float32)[..., None]
    clutter_level = view.clutter_db - 8.7 * sector.share * view.depth / view.clutter_depth
    still = rng.standard_normal((ROWS, BEAMS, 4), dtype=np.float32)
    haze = np.power(10, view.haze_db / 20) * (1 - 0.5 * sector.bearing**2)
    still *= (np.power(10, clutter_level / 20) + haze).astype(np.float32)[..., None]
    noise_level = np.power(10, (view.noise_db + view.noise_slope * sector.share) / 20, dtype=np.float32)[..., None]
    marks, move = draw_marks(view, image_size), Mover(motion, view, sector)
    opening = valve_opening(motion, times)
    sigma = (view.psf_lateral / 100 / sector.beam_step, view.psf_axial / sector.row_step)
    loud = np.float32(np.sqrt(4 * np.pi * sigma[0] * sigma[1]))
    valve_level = np.float32(10 ** (view.valve_db / 20))
    valve_speckle = rng.standard_normal((ROWS, BEAMS, 4), dtype=np.float32) + 0.4
    valve_speckle *= np.clip(0.7 + 0.6 * lumps(rng, (ROWS, BEAMS), (5, 7)), 0.1, 1.6)[..., None]
    shown = np.empty((len(times), image_size, image_size), np.uint8)
    kept: Image | None = None
    for t in range(len(times)):
        field = scatterers_at(plate, move(pose, t)) * amplitude
        field += (
            valve_speckle
            * (draw_leaflets(motion, view, pose, t, float(opening[t])) * (1 - 0.5 * opening[t]) * valve_level).astype(
                np.float32
            )[..., None]
        )
        field += still
        seen = cv2.GaussianBlur(field, (0, 0), sigmaX=sigma[0], sigmaY=sigma[1]) * loud
        seen[..., :2] += rng.standard_normal((ROWS, BEAMS, 2), dtype=np.float32) * noise_level
        power = cv2.transform(cv2.multiply(seen, seen), COMPOUND)
        level = (10 / np.log(10)) * cv2.log(power + 1e-9) + view.gain_db
        grey = np.clip(level / view.dynamic_range + 1, 0, 1) ** view.gamma
        kept = grey if kept is None else view.persistence * kept + (1 - view.persistence) * grey
        image = cv2.remap(kept, sector.to_beam, sector.to_row, cv2.INTER_CUBIC) * sector.window
        shown[t] = np.clip(np.maximum(image * 255, marks) + 0.5, 0, 255).astype(np.uint8)
    return shown


def scatterers_at(plate: Plate, place: tuple[Image, Image]) -> Image:
    """Return the scatterers at each sample, ``(ROWS, BEAMS, 4)``."""
    seen = cv2.remap(plate.scatterers, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen, np.float32)


def draw_leaflets(motion: Motion, view: Appearance, pose: Pose, frame: int, opening: float) -> Image:
    """Draw the leaflets on the polar grid, ``(ROWS, BEAMS)`` 0 to 1."""
    image = np.zeros((ROWS, BEAMS), np.uint8)
    for line in leaflets(motion, view, pose, frame, opening):
        dx, dy = line[:, 0] - view.origin_x, line[:, 1] - view.origin_y
        beam = (np.arctan2(dx, dy) + view.half_angle) / (2 * view.half_angle) * (BEAMS - 1)
        row = (np.hypot(dx, dy) - view.near_cut) / (view.depth - view.near_cut) * (ROWS - 1)
        fixed = np.round(np.stack([beam, row], axis=1) * 16).astype(np.int32)
        cv2.polylines(image, [fixed], False, 255, 1, cv2.LINE_AA, 4)
    return image.astype(np.float32) / 255
