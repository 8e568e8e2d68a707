"""Pictures of clips: tiles under their captions, in rows, as a PNG or, over time, as a GIF."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip
from echo_augment.cache.clip import is_real
from echo_augment.cache.system.files import atomic_path

Frames = npt.NDArray[np.uint8]
BACKGROUND, BAND, TEXT = "#101010", "#282828", "#e6e6e6"
GAP = 4  # pixels between tiles


@dataclass(frozen=True, slots=True)
class Tile:
    """A clip, or a single picture, under its caption.

    Attributes:
        caption: text above it, of one or more lines; what is wider than the picture is cut off.
        frames: ``(T, H, W)`` uint8 grey levels, or ``(T, H, W, 3)`` RGB; one frame for a picture that stands still.
    """

    caption: str
    frames: Frames


def spread(length: int, count: int) -> npt.NDArray[np.intp]:
    """Return ``count`` evenly spaced places from the first to the last of ``length``; all of them if there are fewer.

    >>> spread(16, 4).tolist(), spread(2, 4).tolist()
    ([0, 5, 10, 15], [0, 1])
    """
    return np.linspace(0, length - 1, min(length, count)).round().astype(np.intp)


def strip(frames: Frames, count: int = 6) -> Frames:
    """Return ``count`` evenly spaced frames of a clip ``(T, H, W)`` side by side, ``(1, H, count * W)``."""
    return np.concatenate(list(frames[spread(len(frames), count)]), axis=1)[None]


def choose_clips(store: ClipStore, count: int) -> list[EchoClip]:
    """Return ``count`` clips evenly spread over the ranks of EF, lowest first; unlabelled ones come last.

    Raises:
        EchoAugmentError: the cache is empty, or ``count`` is below 1.
    """
    if not len(store) or count < 1:
        raise EchoAugmentError(f"cannot show {count} of the {len(store)} clips in {store.folder}")
    order = np.argsort(store.ef, kind="stable")
    return [store[int(order[place])] for place in spread(len(order), count)]


def caption(clip: EchoClip) -> list[str]:
    """Return a clip's EF and its donors (of a real clip its id), a line each."""
    ef = "EF ?" if np.isnan(clip.ef) else f"EF {clip.ef:.0f} %"
    if clip.provenance is None or is_real(clip.provenance.fingerprint):
        return [ef, clip.clip_id]
    return [ef, f"motion {clip.provenance.motion_donor}", f"appearance {clip.provenance.appearance_donor}"]


def in_rows(tiles: Sequence[Tile], columns: int) -> list[Sequence[Tile]]:
    """Return the tiles in rows of ``columns``; the last row may be shorter."""
    return [tiles[first : first + columns] for first in range(0, len(tiles), columns)]


def draw_sheet(rows: Sequence[Sequence[Tile]], *, height: int | None = None) -> Image.Image:
    """Draw the first frame of every tile.

    Args:
        rows: from top to bottom; rows may differ in length.
        height: to which every picture is scaled, in pixels; None leaves them as large as they are.

    Returns:
        A grey image, or an RGB one if any tile is.
    """
    return _draw(rows, height, 0)


def draw_film(rows: Sequence[Sequence[Tile]], *, height: int | None = None) -> list[Image.Image]:
    """Draw moving tiles: an image for every frame of the longest clip; shorter ones start again.

    Args:
        rows: as for `draw_sheet`.
        height: likewise.
    """
    return [_draw(rows, height, moment) for moment in range(max(len(tile.frames) for row in rows for tile in row))]


def _draw(rows: Sequence[Sequence[Tile]], height: int | None, moment: int) -> Image.Image:
    pictures = [[_scaled(tile.frames[moment % len(tile.frames)], height) for tile in row] for row in rows]
    wide = max(picture.width for row in pictures for picture in row)
    high = max(picture.height for row in pictures for picture in row)
    size = max(11, high // 16)
    font = ImageFont.load_default(size)
    band = (size + 3) * max(tile.caption.count("\n") + 1 for row in rows for tile in row) + 2
    columns = max(len(row) for row in rows)
    mode = "RGB" if any(picture.mode == "RGB" for row in pictures for picture in row) else "L"
    sheet = Image.new(mode, (columns * (wide + GAP) - GAP, len(rows) * (band + high + GAP) - GAP), BACKGROUND)
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            left, top = x * (wide + GAP), y * (band + high + GAP)
            head = Image.new(mode, (wide, band), BAND)
            ImageDraw.Draw(head).multiline_text((3, 0), tile.caption, fill=TEXT, font=font, spacing=2)
            sheet.paste(head, (left, top))
            sheet.paste(pictures[y][x], (left, top + band))
    return sheet


def _scaled(frame: Frames, height: int | None) -> Image.Image:
    picture = Image.fromarray(frame)
    if height is None or height == picture.height:
        return picture
    return picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.BICUBIC)


def png(image: Image.Image) -> bytes:
    """Return an image as the bytes of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def gif(images: Sequence[Image.Image], fps: float) -> bytes:
    """Return images, shown at ``fps`` a second again and again, as the bytes of a GIF."""
    buffer = io.BytesIO()
    images[0].save(
        buffer, "GIF", save_all=True, append_images=list(images[1:]), duration=round(1000 / fps), loop=0, optimize=False
    )
    return buffer.getvalue()


def write_picture(path: Path, picture: bytes) -> None:
    """Write the bytes of a picture, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(picture)
