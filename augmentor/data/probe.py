"""Probe a video file: enough to tell whether it can be used, and whether two show the same."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError

from .containers import COPY_AGAIN
from .records import VideoInfo
from .video import open_video


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a video file says of itself.

    Attributes:
        frames: number of frames.
        fps: frames per second.
        height: height of a frame in pixels.
        width: width of a frame in pixels.
        first: hash of the size, the number of frames and the first frame; the same for equal videos.
    """

    frames: int
    fps: float
    height: int
    width: int
    first: str


def probe_video(path: str | Path) -> VideoFacts:
    """Open a video and decode its first frame (0.4 ms for EchoNet's).

    Raises:
        EchoAugmentError: the file is missing, empty, truncated, without frames, or does not decode.
    """
    with open_video(path) as video:
        count = len(video)
        if count == 0:
            raise EchoAugmentError(f"{path}: has no frames", COPY_AGAIN)
        return VideoFacts(count, video.fps, *video.shape, first_hash(count, video.shape, video.read([0])))


def first_hash(count: int, shape: tuple[int, int], frames: npt.NDArray[np.uint8]) -> str:
    """Return the hash of a video's number of frames, its ``(H, W)`` and its first frame, given as ``(1, H, W)``."""
    return sha256(f"{count} {shape} ".encode() + frames.tobytes()).hexdigest()


RATE_TOLERANCE = 0.02  # share by which a table's figures may differ from the file's before it is said


def as_filed(row: VideoInfo, facts: VideoFacts) -> VideoInfo:
    """Return a row with the frame rate and length of its file, whatever the table says."""
    return replace(row, fps=facts.fps if facts.fps > 0 else row.fps, n_frames=facts.frames)


def disagreement(row: VideoInfo, fps: float, frames: int) -> str:
    """Say by which figures table and file differ by more than 2 %; empty if they agree or the table is silent.

    Args:
        row: what the table says.
        fps: frames per second of the file.
        frames: its number of frames.
    """
    pairs = (("FPS", row.fps, fps), ("NumberOfFrames", row.n_frames, frames))
    apart = [
        f"{name} is {told:g} in the table and {found:g} in the file"
        for name, told, found in pairs
        if told > 0 and found > 0 and abs(told - found) > RATE_TOLERANCE * found
    ]
    return ", ".join(apart)


def warn_of_disagreements(said: Sequence[str]) -> None:
    """Warn once of all that `disagreement` said of some videos, each with its name."""
    if said:
        text = f"{said[0]}{f' (and {len(said) - 1} more videos)' if len(said) > 1 else ''}: the files are believed; "
        warnings.warn(text + "echo-augment doctor lists all", stacklevel=3)


def content_hash(path: str | Path) -> str:
    """Return the SHA-256 of the decoded grey frames and their size.

    A copy under another name or in another container has the same hash, a re-encoded or cut copy another one. A hash of
    the file's bytes would miss the same coded frames in a new AVI or MKV, whose header differs.

    Raises:
        EchoAugmentError: the file cannot be read to its end.
    """
    with open_video(path) as video:
        return frames_hash(video.read())


def frames_hash(frames: npt.NDArray[np.uint8]) -> str:
    """Return the `content_hash` of a video with these grey frames ``(T, H, W)``, uint8."""
    digest = sha256(f"{frames.shape} ".encode())
    digest.update(np.ascontiguousarray(frames).data)
    return digest.hexdigest()
