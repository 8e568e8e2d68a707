"""The scanner's picture in a video: the sector is what moves; what is drawn over it and stands still is blacked out.

Only what lies inside the sector is kept, so that names, dates and logos beside it cannot come along, whatever they look
like and wherever they stand. This is an aid: nobody has proved that nothing legible is left.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .overlays import drawn_over, running_trace
from .records import Left

Frames = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""``x0, y0, x1, y1`` in pixels; the last column and row are outside."""

MOVES = 8  # grey levels between darkest and brightest: more than a lossy codec's noise on what stands still
LEAST_SIDE, LEAST_SHARE = 24, 0.02  # pixels, and share of the picture: smaller is no sector
LITTLE = 0.75  # share of the picture that is not sector, from which a note is made
LEGIBLE = 160  # pixels: in smaller pictures a letter's stroke is no wider than speckle
PANEL = 0.3  # a second part that moves, of this size against the first, is a second panel


@dataclass(frozen=True, slots=True, eq=False)
class Sector:
    """Where the sector is and what of it is kept.

    Attributes:
        box: box that the clip is cropped to.
        keep: ``(y1 - y0, x1 - x0)`` bool; False is black in every frame.
        masked: share of the sector that was drawn over, 0 to 1.
        notes: remarks for the user.
    """

    box: Box
    keep: Mask
    masked: float
    notes: tuple[str, ...] = ()


def find_sector(frames: Frames, *, region: Box | None = None, drawn: Mask | None = None) -> Sector:
    """Find the sector, and what is drawn over it.

    Args:
        frames: luma of the whole picture, ``(T, H, W)`` uint8.
        region: box that holds the sector, from the file or the user; None to search the whole picture.
        drawn: pixels that are known to be no tissue (coloured graphics, a colour box), ``(H, W)`` bool.

    Raises:
        Left: nothing that could be a sector moves.
    """
    height, width = frames.shape[1:]
    x0, y0, x1, y1 = region or (0, 0, width, height)
    inner = frames[:, y0:y1, x0:x1]
    low, high = inner.min(axis=0), inner.max(axis=0)
    parts = moving_parts(high - low >= MOVES)
    if not parts:
        raise Left("nothing that could be a sector moves", "still")
    hull = convex_hull(parts[0])
    notes = []
    if region is None and len(parts) > 1 and parts[1].sum() > PANEL * parts[0].sum():
        notes.append(f"{sum(part.sum() > PANEL * parts[0].sum() for part in parts)} panels move; the largest is kept")
    outside = 1 - hull.sum() / (height * width)
    if region is None and outside >= LITTLE:
        notes.append(f"{outside:.0%} of the picture does not move or is not sector")
    over = np.zeros(hull.shape, np.bool_)
    if min(height, width) >= LEGIBLE:
        over = drawn_over(low, high) | running_trace(inner, low, high)
    else:
        notes.append(f"frames of {width}x{height} are too small to tell letters from speckle inside the sector")
    if drawn is not None:
        over |= drawn[y0:y1, x0:x1]
    keep = hull & ~over
    masked = 1 - keep.sum() / hull.sum()
    if masked > 0.2:
        notes.append(f"{masked:.0%} of the sector is drawn over and blacked out")
    rows, columns = np.flatnonzero(hull.any(axis=1)), np.flatnonzero(hull.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    box = (x0 + int(left), y0 + int(top), x0 + int(right), y0 + int(bottom))
    return Sector(box, keep[top:bottom, left:right], float(masked), tuple(notes))


def moving_parts(moves: Mask) -> list[Mask]:
    """Return the connected parts of a picture that move, the largest first, without thin ones (letters, a trace).

    Args:
        moves: pixels that move, ``(H, W)`` bool.
    """
    side = min(moves.shape)
    if side < LEAST_SIDE:
        return []
    closed = cv2.morphologyEx(moves.astype(np.uint8), cv2.MORPH_CLOSE, disk(max(1, side // 60)))
    solid = cv2.morphologyEx(closed, cv2.MORPH_OPEN, disk(max(2, side // 24)))
    count, labels, facts, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    order = sorted(range(1, count), key=lambda part: -int(facts[part, cv2.CC_STAT_AREA]))
    return [labels == part for part in order if facts[part, cv2.CC_STAT_AREA] >= LEAST_SHARE * moves.size]


def convex_hull(part: Mask) -> Mask:
    """Return the convex hull of ``part``: a phased array's sector is convex, and dark walls belong to it."""
    points = cv2.findNonZero(part.astype(np.uint8))
    filled = np.zeros(part.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return filled.astype(bool)


def disk(radius: int) -> npt.NDArray[np.uint8]:
    """Return a round kernel for OpenCV's morphology."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def cut(frames: Frames, sector: Sector) -> Frames:
    """Crop frames ``(T, H, W)`` to the sector and black out what it does not keep."""
    x0, y0, x1, y1 = sector.box
    return np.where(sector.keep, frames[:, y0:y1, x0:x1], np.uint8(0))


def fit(frames: Frames, image_size: int) -> Frames:
    """Fit frames ``(T, H, W)`` into a black square of ``image_size``, their aspect kept, as EchoNet-Dynamic has them.

    They shrink by area averaging and grow by cubic interpolation.
    """
    count, height, width = frames.shape
    shape = fitted(height, width, image_size)
    result = np.zeros((count, image_size, image_size), np.uint8)
    inside = (slice(shape[0], shape[0] + shape[2]), slice(shape[1], shape[1] + shape[3]))
    method = cv2.INTER_AREA if max(height, width) > image_size else cv2.INTER_CUBIC
    for source, target in zip(frames, result, strict=True):
        target[inside] = source if source.shape == shape[2:] else cv2.resize(source, shape[:1:-1], interpolation=method)
    return result


def fitted(height: int, width: int, image_size: int) -> tuple[int, int, int, int]:
    """Return ``(top, left, height, width)`` of a picture that is scaled to fill a square of ``image_size``, centred."""
    scale = image_size / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    return (image_size - rows) // 2, (image_size - columns) // 2, rows, columns
