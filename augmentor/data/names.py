"""File names from a CSV: with or without suffix, and never leading out of the data set's folder."""

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from echo_augment.cache.errors import EchoAugmentError

VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
NAME_REMEDY = "FileName must name a file inside Videos/, for instance 0X10A28877E97DF540.avi; drop or mend the row"


def video_name(text: str) -> str:
    """The name of a video without its suffix: ``" 0X1.avi "`` and ``"0X1"`` are both ``"0X1"``.

    Only known video suffixes are cut, so that dots inside a name (``1.2.840``) stay.
    """
    text = text.strip()
    stem, suffix = os.path.splitext(text)  # noqa: PTH122  names may hold "..", which Path would not split the same way
    return stem if suffix.lower() in VIDEO_SUFFIXES else text


def video_file_name(text: str) -> str:
    """The file name that a ``FileName`` entry stands for: as it is, or with ``.avi`` where it has no video suffix."""
    text = text.strip()
    return text if video_name(text) != text else f"{text}.avi"


def inside(folder: Path, text: str) -> Path:
    """The path of a ``FileName`` entry in ``folder``; a pure check of the text and of where symbolic links lead.

    The file need not exist. ``folder`` itself may be a link (data sets often lie elsewhere); a link inside it may not
    lead out of it.

    Raises:
        EchoAugmentError: an empty or absolute name, one with ``..``, or a link that leads out of ``folder``.
    """
    name = text.strip()
    parts = name.replace("\\", "/").split("/")
    windows = PureWindowsPath(name)
    if not name or "\0" in name:
        raise EchoAugmentError(f"FileName {text!r} is not a file name", NAME_REMEDY)
    if ".." in parts or PurePosixPath(name).is_absolute() or windows.is_absolute() or windows.drive:
        raise EchoAugmentError(f"FileName {text!r} leaves the data set's folder", NAME_REMEDY)
    path = folder / video_file_name(name)
    home = os.path.realpath(folder)
    if os.path.commonpath([home, os.path.realpath(path)]) != home:
        raise EchoAugmentError(f"FileName {text!r} is a link that leaves the data set's folder", NAME_REMEDY)
    return path
