"""Pictures of clips: a sheet of frames and a GIF, with EF and donors written in."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from echo_augment.cache import ClipStore, EchoAugmentError, EchoClip
from echo_augment.cache.clip import is_real

SIDE, CAPTION, COLUMNS = 168, 46, 4


def choose(store: ClipStore, n: int) -> list[EchoClip]:
    """``n`` clips evenly spread over the ranks of EF, lowest first; unlabelled ones last.

    Raises:
        EchoAugmentError: an empty cache, or n below 1.
    """
    if not len(store) or n < 1:
        raise EchoAugmentError(f"cannot show {n} of the {len(store)} clips in {store.folder}")
    order = np.argsort(store.ef, kind="stable")
    picks = np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)
    return [store[int(order[k])] for k in picks]


def caption(clip: EchoClip) -> list[str]:
    """EF, motion donor and appearance donor (or the clip's id), each on a line."""
    ef = "EF ?" if np.isnan(clip.ef) else f"EF {clip.ef:.0f} %"
    if clip.provenance is None or is_real(clip.provenance.fingerprint):
        return [ef, clip.clip_id]
    return [ef, f"motion {clip.provenance.motion_donor}", f"look {clip.provenance.appearance_donor}"]


def draw_sheet(clips: Sequence[EchoClip], frames: int = 6) -> Image.Image:
    """A row a clip: caption, then ``frames`` frames from first to last. Returns a grayscale image."""
    sheet = Image.new("L", ((frames + 1) * SIDE, len(clips) * SIDE), 16)
    for row, clip in enumerate(clips):
        _write(sheet, caption(clip), (8, row * SIDE + SIDE // 3))
        for column, k in enumerate(np.linspace(0, len(clip.frames) - 1, frames).round().astype(int)):
            sheet.paste(_scaled(clip.frames[k]), ((column + 1) * SIDE, row * SIDE))
    return sheet


def draw_animation(clips: Sequence[EchoClip]) -> list[Image.Image]:
    """A grid of moving clips with captions: one image a frame of the longest clip; shorter ones start again."""
    columns = min(COLUMNS, len(clips))
    rows = -(-len(clips) // columns)
    base = Image.new("L", (columns * SIDE, rows * (SIDE + CAPTION)), 16)
    places = [(k % columns * SIDE, k // columns * (SIDE + CAPTION)) for k in range(len(clips))]
    for clip, (x, y) in zip(clips, places, strict=True):
        _write(base, caption(clip), (x + 4, y + SIDE + 2))
    images = []
    for k in range(max(len(clip.frames) for clip in clips)):
        image = base.copy()
        for clip, place in zip(clips, places, strict=True):
            image.paste(_scaled(clip.frames[k % len(clip.frames)]), place)
        images.append(image)
    return images


def _scaled(frame: np.ndarray) -> Image.Image:
    return Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def _write(image: Image.Image, lines: Sequence[str], place: tuple[int, int]) -> None:
    font = ImageFont.load_default(10)
    for k, line in enumerate(lines):
        ImageDraw.Draw(image).text((place[0], place[1] + 13 * k), line[:27], fill=230, font=font)
