"""Which videos a training was made of: a replaced file under the same name does not pass for the old one.

The key of a training names the table, not what its videos show. ``videos.json`` beside ``settings.json`` does.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from echo_augment.augmentor.data import VideoInfo, probe_video
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import file_hash, write_json

VIDEOS = "videos.json"


@dataclass(frozen=True, slots=True)
class VideoMark:
    """What tells a video file from another one, from cheap to dear.

    Attributes:
        size: bytes of the file.
        mtime: time of the last change, in ns.
        first: `echo_augment.augmentor.data.probe.VideoFacts.first`; empty for a video that does not open.
        file: hash of the file's bytes.
    """

    size: int
    mtime: int
    first: str
    file: str


@cache  # a benchmark's trainings share their videos
def _first(path: Path, size: int, mtime: int) -> str:
    try:
        return probe_video(path).first
    except EchoAugmentError:
        return ""


@cache
def _file(path: Path, size: int, mtime: int) -> str:
    return file_hash(path)


def note_videos(out: Path, rows: Sequence[VideoInfo]) -> None:
    """Write ``videos.json``: a mark of every video.

    Args:
        out: folder of the training.
        rows: videos that it may use; their files are there.
    """
    marks = {}
    for row in rows:
        status = row.path.stat()
        key = (row.path, status.st_size, status.st_mtime_ns)
        marks[row.name] = asdict(VideoMark(status.st_size, status.st_mtime_ns, _first(*key), _file(*key)))
    write_json(out / VIDEOS, marks)


def changed_video(out: Path, rows: Sequence[VideoInfo]) -> str | None:
    """Return which video is another one than a training was made of, and how; None if none is.

    A file of the size and date noted is taken for the same; of others the first frame, then the bytes decide.

    Args:
        out: folder of the training. Without a ``videos.json``, as earlier versions left it, nothing is known.
        rows: videos as they are now.
    """
    if not (out / VIDEOS).is_file():
        return None
    marks = {name: VideoMark(**mark) for name, mark in json.loads((out / VIDEOS).read_text(encoding="utf-8")).items()}
    there = {row.name: row.path for row in rows}
    for name in sorted(marks.keys() | there.keys()):
        if name not in there:
            return f"{name} is gone"
        if name not in marks:
            return f"{there[name]} is new"
        path, mark = there[name], marks[name]
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        if key[1:] == (mark.size, mark.mtime):
            continue
        if _first(*key) != mark.first:
            return f"{path} begins with another frame"
        if _file(*key) != mark.file:
            return f"{path} has another content"
    return None
