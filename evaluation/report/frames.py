"""Frames for the eye: real, synthetic and counterfactual side by side."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from echo_augment.augmentor.data import EchoTable, read_frames, read_video
from echo_augment.cache import ClipStore, EchoClip, PlanLine
from echo_augment.training_recipes.arms.oracle import OracleGenerator

Frame = npt.NDArray[np.uint8]
TILE, GAP, BAND = 112, 4, 16


@dataclass(frozen=True, slots=True)
class Tile:
    """A frame with the words above it."""

    caption: str
    frame: Frame


def picture(rows: Sequence[Sequence[Tile]]) -> bytes:
    """Rows of tiles, each 112 pixels wide under its caption, as the bytes of a PNG."""
    columns = max(len(row) for row in rows)
    width, height = columns * (TILE + GAP) + GAP, len(rows) * (TILE + BAND + GAP) + GAP
    sheet = Image.new("L", (width, height), 24)
    draw = ImageDraw.Draw(sheet)
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            left, top = GAP + x * (TILE + GAP), GAP + y * (TILE + BAND + GAP)
            draw.text((left + 1, top + 2), tile.caption, fill=215)
            sheet.paste(Image.fromarray(tile.frame).resize((TILE, TILE)), (left, top + BAND))
    buffer = io.BytesIO()
    sheet.resize((2 * width, 2 * height), Image.Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def labelled_pair(table: EchoTable, name: str) -> tuple[Frame, Frame]:
    """The ED and ES frame of a real clip: its traced frames, or the first and the middle one where it has none."""
    row = next(row for row in table.rows if row.name == name)
    traced = list(table.tracings.get(name, {}))
    if len(traced) >= 2:
        small, large = traced[0], traced[-1]
    else:
        small, large = len(read_video(row.path)[0]) // 2, 0
    return tuple(read_frames(row.path, [large, small]))


def clip_pair(clip: EchoClip) -> tuple[Frame, Frame]:
    """The ED and ES frame of a clip; its first and middle frame where they are not known."""
    ed = clip.ed_frame if clip.ed_frame >= 0 else 0
    es = clip.es_frame if clip.es_frame >= 0 else len(clip.frames) // 2
    return clip.frames[ed], clip.frames[es]


def comparison(table: EchoTable, store: ClipStore, oracle: OracleGenerator | None, count: int = 4) -> bytes:
    """A row for each of some clips: both donors, the clip, and on phantoms its exact counterfactual.

    Args:
        table: of the data set that the donors are in.
        store: of synthetic clips.
        oracle: renders the counterfactuals; None for real hearts.
        count: of clips, spread over the range of EF.
    """
    order = np.argsort(store.ef)
    rows = []
    for place in order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]:
        clip = store[int(place)]
        if clip.provenance is None:
            continue
        motion, look = clip.provenance.motion_donor, clip.provenance.appearance_donor
        large, small = labelled_pair(table, motion)
        row = [Tile(f"motion EF {clip.ef:.0f} ED", large), Tile("motion ES", small)]
        row.append(Tile("look ED", labelled_pair(table, look)[0]))
        large, small = clip_pair(clip)
        row += [Tile("synthetic ED", large), Tile("synthetic ES", small)]
        if oracle is not None:
            exact = oracle([PlanLine(clip.clip_id, motion, look, clip.provenance.seed)])[0]
            large, small = clip_pair(exact)
            row += [Tile("exact ED", large), Tile("exact ES", small)]
        rows.append(row)
    return picture(rows)


def beating(table: EchoTable, store: ClipStore, oracle: OracleGenerator | None, count: int = 3) -> bytes:
    """A GIF that beats: for each of some clips both donors, the clip, and on phantoms its exact counterfactual.

    Arguments as of `comparison`. Donors and clip are at different moments of their beats; all run at the clip's rate.
    """
    order, rows = np.argsort(store.ef), []
    for place in order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]:
        clip = store[int(place)]
        if clip.provenance is None:
            continue
        motion, look = clip.provenance.motion_donor, clip.provenance.appearance_donor
        row = [(f"motion EF {clip.ef:.0f}", _donor(table, motion, clip)), ("look", _donor(table, look, clip))]
        row.append(("synthetic", clip.frames))
        if oracle is not None:
            exact = oracle([PlanLine(clip.clip_id, motion, look, clip.provenance.seed)])[0]
            row.append(("exact", exact.frames))
        rows.append(row)
    length = max(len(frames) for row in rows for _, frames in row)
    pictures = []
    for t in range(length):
        tiles = [[Tile(words, frames[t % len(frames)]) for words, frames in row] for row in rows]
        pictures.append(Image.open(io.BytesIO(picture(tiles))).convert("P"))
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=int(1000 / store[0].fps), loop=0
    )
    return buffer.getvalue()


def _donor(table: EchoTable, name: str, clip: EchoClip) -> npt.NDArray[np.uint8]:
    """A donor's frames at the rate and of the length of a clip, as far as its video goes."""
    row = next(row for row in table.rows if row.name == name)
    frames, fps = read_video(row.path)
    wanted = np.arange(len(clip.frames)) * (fps or clip.fps) / clip.fps
    return frames[wanted[wanted < len(frames)].astype(int)]


def contact_sheet(table: EchoTable, store: ClipStore, path: Path, *, clips: int = 6, frames: int = 8) -> Path:
    """Write a PNG of generated clips, a row each, under two rows of real ones; returns ``path``."""
    rows = []
    for row in table.split("train")[:2]:
        real, fps = read_video(row.path)
        step = max(1, round(fps / 12.5))
        real = real[: 16 * step : step]
        rows.append([Tile(f"real {row.name[-6:]}", frame) for frame in real[_spread(len(real), frames)]])
    for place in _spread(len(store), clips):
        clip = store[int(place)]
        rows.append(
            [Tile(f"synthetic EF {clip.ef:.0f}", frame) for frame in clip.frames[_spread(len(clip.frames), frames)]]
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(rows))
    return path


def _spread(length: int, count: int) -> npt.NDArray[np.intp]:
    return np.linspace(0, length - 1, min(length, count)).round().astype(np.intp)
