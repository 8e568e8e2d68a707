"""Any video file as a clip: AVI, MP4, MKV, GIF, ..., with or without an extension."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from echo_augment.cache.errors import EchoAugmentError

from ..csv_files import VIDEO_SUFFIXES
from ..video import VideoFile, open_video
from .colour import box_of, count_colour, to_ycbcr
from .dicom_pixels import MOST_LUMA, MOST_PIXELS
from .frame_rate import choose_rate
from .records import ImportPlan, Left, ReadClip, Source
from .sector import Mask, cut, find_sector, fit

SUFFIXES = VIDEO_SUFFIXES | {".gif", ".wmv", ".asf", ".mts", ".ts"}
MAGIC = (
    (8, b"AVI "),
    (4, b"ftyp"),  # MP4, MOV
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"GIF8"),
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3"),
    (0, b"\x30\x26\xb2\x75"),  # ASF: WMV
)
COLOUR_FRAMES = 12  # frames searched for colour: most frames of a beat show flow


def is_video(path: Path) -> bool:
    """Return whether a file is a video by its name or its first bytes."""
    if path.suffix.lower() in SUFFIXES:
        return True
    with path.open("rb") as file:
        head = file.read(16)
    return any(head[place : place + len(mark)] == mark for place, mark in MAGIC)


def find_videos(root: Path) -> Iterator[Source]:
    """Yield the files below a folder that are videos by name or first bytes, sorted; or ``root``, if it is a file."""
    paths = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    for path in paths:
        if path == root or is_video(path):
            yield Source(path, root)


def read_any_video(source: Source, plan: ImportPlan, rates: Mapping[str, float]) -> ReadClip:
    """Read one video.

    Args:
        source: the file.
        plan: how files are read.
        rates: name of a video, as the label table has it -> frames per second.

    Raises:
        Left: it is damaged, still, shorter than a beat, or shows colour flow.
    """
    names = (source.relative, source.path.name, source.path.stem)
    try:
        with open_video(source.path) as video:
            count = refuse_size(video)
            by_table = next((rates[name] for name in names if name in rates), float("nan"))
            rate = choose_rate({"the label table": by_table, "the container": video.fps}, wanted=plan.fps)
            if count / rate.fps < plan.beat_seconds:
                raise Left(f"{count / rate.fps:.2f} s are less than one beat ({plan.beat_seconds:.2f} s)", "short")
            luma = video.read()
        drawn, notes = coloured_parts(source.path, count, plan.colour)
    except Left:
        raise
    except EchoAugmentError as error:  # its message names the file
        raise Left(without_path(error.message, source.path), "damaged", "Export it again") from error
    except (MemoryError, OverflowError, ValueError) as error:
        raise Left(f"it cannot be decoded ({type(error).__name__})", "damaged", "Export it again") from error
    sector = find_sector(luma, region=plan.region and fits(plan.region, luma), drawn=drawn)
    return ReadClip(
        frames=fit(cut(luma, sector), plan.image_size),
        fps=rate.fps,
        patient=patient_of(source, plan.patient),
        names=names,
        masked=sector.masked,
        notes=(*rate.notes, *notes, *sector.notes),
    )


def refuse_size(video: VideoFile) -> int:
    """Return the number of frames of a video, if it fits into memory.

    Raises:
        Left: more pixels than any cine has, or a single frame.
    """
    height, width = video.shape
    if height * width > MOST_PIXELS:
        raise Left(f"frames of {width}x{height} pixels", "too large")
    count = len(video)
    if count < 2:
        raise Left("a single frame" if count else "it has no frames", "single frame")
    if count * height * width > MOST_LUMA:
        raise Left(f"{count} frames of {width}x{height} are more than can be held at a time", "too large")
    return count


def coloured_parts(path: Path, count: int, colour: str) -> tuple[Mask | None, tuple[str, ...]]:
    """Return what is coloured in a video, ``(H, W)`` bool or None, and notes.

    Raises:
        Left: colour flow, unless its box is to be dropped.
    """
    with open_video(path) as video:
        some = np.linspace(0, count - 1, min(count, COLOUR_FRAMES)).round().astype(int)
        found = count_colour(to_ycbcr(frame) for frame in video.read(some, rgb=True))
    if found is None or not found.is_flow():
        return (None if found is None else found.ever), ()
    if colour == "refuse":
        raise Left("it shows colour flow, or is a colour film", "colour", "colour=drop_box blacks out its box")
    return found.ever | box_of(found.moves), ("the box of its colour flow is blacked out",)


def patient_of(source: Source, rule: str) -> str:
    """Return whose video it is; empty if unknown.

    Args:
        source: the file.
        rule: ``file`` (each its own patient), ``folder`` (that the file lies in), or a regular expression with one
            group, searched in the path below the imported folder.

    Raises:
        Left: the expression does not match.
    """
    if rule == "file":
        return ""
    if rule == "folder":
        return source.path.parent.name if source.path == source.root else str(Path(source.relative).parent)
    match = re.search(rule, source.relative)
    if match is None or not match.groups() or not match.group(1):
        raise Left("patient= does not match its path", "patient", "Mend the regular expression")
    return match.group(1)


def fits(region: tuple[int, int, int, int], luma: np.ndarray) -> tuple[int, int, int, int]:
    """Return ``region`` if it lies in the frames ``(T, H, W)``.

    Raises:
        Left: it does not.
    """
    height, width = luma.shape[1:]
    if region[2] > width or region[3] > height:
        raise Left(f"region= does not lie in frames of {width}x{height}", "region")
    return region


def without_path(text: str, path: Path) -> str:
    """Return a message without the file's name, which may be a patient's."""
    for name in (str(path), path.as_posix(), path.name):
        text = text.replace(name, "it")
    return text.removeprefix("it: ")
