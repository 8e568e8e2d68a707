"""Frames for the eye: real, synthetic and counterfactual side by side."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import EchoTable, VideoInfo, read_frames, read_video
from echo_augment.cache import ClipStore, EchoClip, PlanLine
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.common.contact_sheet import (
    Tile,
    choose_clips,
    draw_film,
    draw_sheet,
    gif,
    png,
    spread,
    strip,
    write_picture,
)

Frames = npt.NDArray[np.uint8]
TILE_HEIGHT = 224
SHEET_FPS, SHEET_FRAMES = 12.5, 16  # real videos are shown at about this rate, and so many frames of them


def labelled_pair(table: EchoTable, name: str) -> Frames:
    """Return the ED and ES frame of a real video ``(2, H, W)``: the traced frames, or the first and the middle one."""
    row = _row(table, name)
    traced = list(table.tracings.get(name, {}))
    if len(traced) >= 2:
        small, large = traced[0], traced[-1]
    else:
        small, large = len(read_video(row.path)[0]) // 2, 0
    return read_frames(row.path, [large, small])


def clip_pair(clip: EchoClip) -> Frames:
    """Return the ED and ES frame of a clip ``(2, H, W)``: the labelled ones, or the first and the middle one."""
    ed = clip.ed_frame if clip.ed_frame >= 0 else 0
    es = clip.es_frame if clip.es_frame >= 0 else len(clip.frames) // 2
    return clip.frames[[ed, es]]


def comparison(table: EchoTable, store: ClipStore, oracle: OracleGenerator | None, count: int = 4) -> bytes:
    """Return a PNG with a row for each of some clips: both donors, the clip, and on phantoms its counterfactual.

    Args:
        table: dataset of the donors.
        store: synthetic clips.
        oracle: renders the counterfactuals; None for real patients.
        count: clips to show, spread over the range of EF.
    """
    rows = []
    for clip, line in _with_donors(store, count):
        row = _pair(f"motion EF {clip.ef:.0f}", labelled_pair(table, line.motion_donor))
        row += _pair("appearance", labelled_pair(table, line.appearance_donor))[:1]
        row += _pair("synthetic", clip_pair(clip))
        if oracle is not None:
            row += _pair("exact", clip_pair(oracle([line])[0]))
        rows.append(row)
    return png(draw_sheet(rows, height=TILE_HEIGHT))


def beating(table: EchoTable, store: ClipStore, oracle: OracleGenerator | None, count: int = 3) -> bytes:
    """Return a GIF of the same in motion: for each of some clips both donors, the clip, and its counterfactual.

    Donors and clip are at different moments of their beats; all run at the clip's frame rate.

    Args:
        table: as for `comparison`.
        store: likewise.
        oracle: likewise.
        count: clips to show, spread over the range of EF.
    """
    rows = []
    for clip, line in _with_donors(store, count):
        row = [Tile(f"motion EF {clip.ef:.0f}", _donor(table, line.motion_donor, clip))]
        row.append(Tile("appearance", _donor(table, line.appearance_donor, clip)))
        row.append(Tile("synthetic", clip.frames))
        if oracle is not None:
            row.append(Tile("exact", oracle([line])[0].frames))
        rows.append(row)
    return gif(draw_film(rows, height=TILE_HEIGHT), store[0].fps)


def _with_donors(store: ClipStore, count: int) -> Iterator[tuple[EchoClip, PlanLine]]:
    """Yield synthetic clips, spread over the range of EF, with the plan line that would make each again."""
    for clip in choose_clips(store, count):
        if clip.provenance is not None:
            made = clip.provenance
            yield clip, PlanLine(clip.clip_id, made.motion_donor, made.appearance_donor, made.seed)


def _pair(what: str, frames: Frames) -> list[Tile]:
    return [Tile(f"{what} {phase}", frame[None]) for phase, frame in zip(("ED", "ES"), frames, strict=True)]


def _row(table: EchoTable, name: str) -> VideoInfo:
    return next(row for row in table.rows if row.name == name)


def _donor(table: EchoTable, name: str, clip: EchoClip) -> Frames:
    """Return a donor's frames at the frame rate and of the length of a clip, as far as its video goes."""
    frames, fps = read_video(_row(table, name).path)
    wanted = np.arange(len(clip.frames)) * (fps or clip.fps) / clip.fps
    return frames[wanted[wanted < len(frames)].astype(int)]


def contact_sheet(table: EchoTable, store: ClipStore, path: Path, *, clips: int = 6, columns: int = 8) -> bytes:
    """Write a PNG of synthetic clips, a row each, under two rows of real ones; return its bytes.

    Args:
        table: dataset of the real videos; TRAIN is shown.
        store: synthetic clips.
        path: file to write.
        clips: synthetic clips to show.
        columns: frames of each.
    """
    rows = []
    for row in table.split("train")[:2]:
        real, fps = read_video(row.path)
        step = max(1, round(fps / SHEET_FPS))
        rows.append([Tile(f"real {row.name}", strip(real[: SHEET_FRAMES * step : step], columns))])
    for place in spread(len(store), clips):
        clip = store[int(place)]
        rows.append([Tile(f"synthetic EF {clip.ef:.0f}", strip(clip.frames, columns))])
    picture = png(draw_sheet(rows, height=TILE_HEIGHT))
    write_picture(path, picture)
    return picture
