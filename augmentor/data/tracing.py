"""Read left-ventricle tracings from VolumeTracings.csv in the forms it comes in, and fill them to masks.

EchoNet-Dynamic writes 21 lines per traced frame, ``X1, Y1, X2, Y2``: the long axis, then 20 chords across it.
EchoNet-Pediatric writes the outline's points, ``X, Y``.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from echo_augment.cache.arguments import check_choice
from echo_augment.cache.errors import EchoAugmentError

from .csv_files import plain_number, read_csv, video_name

Tracing = npt.NDArray[np.float64]
"""``(N, 4)`` lines x1, y1, x2, y2 (the first is the long axis) or ``(N, 2)`` points x, y, in pixels."""


@dataclass
class Tracings:
    """Tracings of a dataset.

    Attributes:
        frames: video name -> frame -> `Tracing`. The frames are ordered by area, small (end-systolic) to large
            (end-diastolic), as EchoNet-Dynamic's file is and `echonet` relies on; or as they are in the file. A line
            that is repeated counts once.
        reordered: names of videos whose lines had a larger frame before a smaller one.
        bad_lines: ``(video name, what is wrong)`` of lines that could not be used.
    """

    frames: dict[str, dict[int, Tracing]] = field(default_factory=dict)
    bad_lines: list[tuple[str, str]] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)


TraceOrder = Literal["area", "file"]
TRACE_ORDERS = ("area", "file")
FARTHEST = 100_000.0  # pixels; what lies beyond, or is NaN, is in no frame
NO_FRAME = re.compile(r"no (dia|sy)stolic", re.IGNORECASE)


def read_tracings(path: Path, order: TraceOrder = "area") -> Tracings:
    """Read a VolumeTracings.csv: columns in any order and case, lines or points, file names with or without ``.avi``.

    Lines whose frame or coordinates are no numbers are left out and listed; those with the frame ``No Systolic``, which
    is EchoNet-Pediatric's word for a video without such a tracing, are left out.

    Args:
        path: the CSV.
        order: order of a video's frames: ``"area"``, the smaller first, or ``"file"``.

    Raises:
        EchoAugmentError: ``order`` is unknown; the file is missing, empty or not UTF-8; or its columns are neither
            lines nor points.
    """
    check_choice("traces", order, TRACE_ORDERS)
    table = read_csv(path)
    name = table.column("filename", "file", "name")
    frame = table.column("frame", "framenumber", "frameindex")
    lines = [table.column(key) for key in ("x1", "y1", "x2", "y2")]
    points = [table.column(key) for key in ("x", "y")]
    coordinates = [column for column in (points if None in lines else lines) if column is not None]
    if name is None or frame is None or len(coordinates) < 2 or (None in lines and None in points):
        raise EchoAugmentError(
            f"{path}: has the columns {', '.join(table.header)}",
            "It needs FileName, Frame and either X1, Y1, X2, Y2 (lines) or X, Y (points)",
        )
    result = Tracings()
    gathered: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    needed = max([name, frame, *coordinates])
    for number, fields in table.rows:
        key = video_name(fields[name]) if len(fields) > name else ""
        if len(fields) <= needed:
            result.bad_lines.append((key, f"line {number} has {len(fields)} of {len(table.header)} fields"))
            continue
        if NO_FRAME.fullmatch(fields[frame].strip()):
            continue
        try:
            index = whole_number(fields[frame])
            place = [float(plain_number(fields[column])) for column in coordinates]
        except ValueError:
            values = [fields[column] for column in (frame, *coordinates)]
            result.bad_lines.append((key, f"line {number} has no numbers for frame and coordinates: {values}"))
            continue
        if index < 0 or not (np.abs(place) <= FARTHEST).all():
            result.bad_lines.append((key, f"line {number} has frame {index} and coordinates {place}"))
            continue
        gathered[key][index].append(place)
    for key, by_frame in gathered.items():
        arrays = {index: np.array(_once(places), dtype=np.float64) for index, places in by_frame.items()}
        ordered = sorted(arrays, key=lambda index: tracing_area(arrays[index])) if order == "area" else list(arrays)
        if len(coordinates) == 4 and ordered != list(arrays):
            result.reordered.append(key)
        result.frames[key] = {index: arrays[index] for index in ordered}
    return result


def _once(places: list[list[float]]) -> list[list[float]]:
    """Return lines without repeats; points only if every one is repeated, for an outline may touch itself."""
    once = [list(place) for place in dict.fromkeys(map(tuple, places))]
    return once if len(places[0]) == 4 or 2 * len(once) <= len(places) else places


def jumbled(tracing: Tracing) -> bool:
    """Return whether the chords of a tracing do not follow one another along its first line, the long axis.

    The outline runs down one side and up the other in the order of the chords, so that sorted lines give another mask.
    """
    if tracing.shape[1] == 2 or len(tracing) < 5:
        return False
    axis = tracing[0, 2:] - tracing[0, :2]
    places = (tracing[1:, :2] + tracing[1:, 2:]) @ axis / 2
    steps = np.diff(places)
    across = np.ptp(places) < 0.5 * axis @ axis  # the first line is a chord
    return bool(across or min((steps > 0).sum(), (steps < 0).sum()) > len(steps) // 10 + 1)


def tracing_volume(tracing: Tracing) -> float:
    """Return the volume by the area-length formula, area squared by length, up to a factor that all frames share."""
    if tracing.shape[1] == 4:
        length = float(np.hypot(*(tracing[0, 2:] - tracing[0, :2])))
    else:
        length = float(np.hypot(*(tracing[:, None] - tracing[None]).transpose(2, 0, 1)).max())
    return tracing_area(tracing) ** 2 / length if length > 0 else 0.0


def whole_number(text: str) -> int:
    """Return ``"46"`` and ``"46.0"`` as 46.

    Raises:
        ValueError: ``text`` is no number, or one with a fraction.
    """
    value = float(text)
    if not value.is_integer():
        raise ValueError(f"{text!r} is not a whole number")
    return int(value)


def outline(tracing: Tracing) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return a tracing's polygon ``(x, y)``: points as they are; lines down one side, up the other, no axis."""
    if tracing.shape[1] == 2:
        return tracing[:, 0], tracing[:, 1]
    x1, y1, x2, y2 = tracing[1:].T
    return np.concatenate((x1, x2[::-1])), np.concatenate((y1, y2[::-1]))


def tracing_area(tracing: Tracing) -> float:
    """Return the area inside the outline in square pixels, by the shoelace formula."""
    x, y = outline(tracing)
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def tracing_mask(tracing: Tracing, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Fill the outline, its vertices rounded to pixels as in `echonet`: ``(H, W)`` float32 of 0 and 1."""
    x, y = outline(tracing)
    return fill_polygon(np.rint(x).astype(np.int64), np.rint(y).astype(np.int64), shape).astype(np.float32)


def fill_polygon(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Mark the pixels whose centre lies inside a polygon with whole-numbered vertices, or on its outline.

    Even-odd rule by crossings to the right and to the left, in whole numbers and so without rounding: if the two
    parities differ, the centre lies on an edge (O'Rourke, Computational Geometry in C, section 7.4). The result equals
    scikit-image's ``draw.polygon``.

    Args:
        x: columns of the vertices, ``(N,)``; may lie outside the frame.
        y: rows of the vertices, ``(N,)``.
        shape: ``(H, W)`` of the mask.

    Returns:
        ``(H, W)`` bool.
    """
    mask = np.zeros(shape, np.bool_)
    if len(x) == 0:
        return mask
    top, bottom = max(int(y.min()), 0), min(int(y.max()), shape[0] - 1)
    left, right = max(int(x.min()), 0), min(int(x.max()), shape[1] - 1)
    if top > bottom or left > right:
        return mask
    rows = np.arange(top, bottom + 1)[:, None]
    columns = np.arange(left, right + 1)[None, :]
    to_right = np.zeros((bottom - top + 1, right - left + 1), np.bool_)
    to_left = np.zeros_like(to_right)
    for x0, y0, x1, y1 in zip(np.roll(x, 1), np.roll(y, 1), x, y, strict=True):
        dy0, dy1 = y0 - rows, y1 - rows
        above = (dy1 > 0) != (dy0 > 0)
        below = (dy1 < 0) != (dy0 < 0)
        # Where the edge meets the pixel's row, relative to the pixel, times (y1 - y0)'s magnitude.
        meets = ((x0 - columns) * dy1 - (x1 - columns) * dy0) * np.sign(y1 - y0)
        to_right ^= above & (meets > 0)
        to_left ^= below & (meets < 0)
    mask[top : bottom + 1, left : right + 1] = to_right | (to_right != to_left)
    for column, row in zip(x, y, strict=True):
        if 0 <= row < shape[0] and 0 <= column < shape[1]:
            mask[row, column] = True
    return mask
