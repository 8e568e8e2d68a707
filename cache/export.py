"""A cache as a folder in EchoNet-Dynamic's layout, for training scripts that read nothing else."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import EchoAugmentError
from .files import atomic_path
from .real import refuse_real
from .record import EchoClip
from .store import ClipStore
from .tracing import trace_mask

WriteVideo = Callable[[Path, npt.NDArray[np.uint8], float], Any]
LIST = ("FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split")
TRACINGS = ("FileName", "X1", "Y1", "X2", "Y2", "Frame")


def export_echonet(store: ClipStore, out: str | Path, write_video: WriteVideo, *, split: str = "TRAIN") -> int:
    """Write ``Videos/<id>.avi``, ``FileList.csv`` and ``VolumeTracings.csv``.

    ESV and EDV stay empty: a generated clip has no pixel size in centimetres. Tracings come from the clips' masks, at
    the ED and ES frame; a clip without masks has none, and the ``echonet`` package leaves out clips without tracings.

    Args:
        store: the cache.
        out: folder; made where it is missing. Videos that are there already are kept, so that an export may be resumed.
        write_video: called with path, frames ``(T, H, W)`` uint8 and frames per second; must write atomically.
        split: of every clip.

    Returns:
        Number of clips that have tracings.

    Raises:
        EchoAugmentError: a damaged clip, a store of real clips, or an id that makes no file name.
    """
    refuse_real(store.folder, store.fingerprint)
    videos = Path(out) / "Videos"
    videos.mkdir(parents=True, exist_ok=True)
    rows, lines, traced = [], list[tuple[Any, ...]](), 0
    for clip in store:
        if not re.fullmatch(r"[\w.~-]+", clip.clip_id) or clip.clip_id.startswith("."):
            raise EchoAugmentError(f"clip id {clip.clip_id!r} cannot be a file name")
        path = videos / f"{clip.clip_id}.avi"
        if not path.exists():
            write_video(path, clip.frames, clip.fps)
        count, height, width = clip.frames.shape
        ef = "" if np.isnan(clip.ef) else clip.ef
        rows.append((clip.clip_id, ef, "", "", height, width, clip.fps, count, split))
        new = list(_tracing_rows(clip))
        lines += new
        traced += bool(new)
    _write(Path(out) / "FileList.csv", LIST, rows)
    _write(Path(out) / "VolumeTracings.csv", TRACINGS, lines)
    return traced


def _tracing_rows(clip: EchoClip) -> Iterator[tuple[Any, ...]]:
    if clip.masks is None:
        return
    areas = clip.masks.sum(axis=(1, 2))
    ed = clip.ed_frame if clip.ed_frame >= 0 else int(areas.argmax())
    es = clip.es_frame if clip.es_frame >= 0 else int(areas.argmin())
    if ed == es or min(areas[ed], areas[es]) < 20:
        return
    for frame in sorted((ed, es), key=lambda frame: areas[frame]):  # echonet takes the last as the larger
        for line in trace_mask(clip.masks[frame]):
            yield (f"{clip.clip_id}.avi", *(round(float(value), 3) for value in line), frame)


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
