"""Thumbnails that move: sixteen small frames of a clip, one under the other in a single WebP picture."""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from echo_augment.cache import ClipStore, EchoClip

FRAMES = 16
SECONDS = 1.6  # of a clip at most: one beat or two, ten frames a second
SIDES = (112, 96, 80, 64, 48)  # pixels of a thumbnail's longer side, the best first
QUALITY, EFFORT = 50, 2  # of WebP; on EchoNet's speckle three quarters of a JPEG's bytes
SAMPLE = 48  # clips that tell how large all of them will be


def span(clip: EchoClip) -> tuple[int, float]:
    """Return the frames of a clip's thumbnail and the seconds that they last; reads no pixels."""
    length = max(1, min(clip.n_frames, round(SECONDS * clip.fps)))
    return min(FRAMES, length), length / clip.fps


def make_strip(store: ClipStore, index: int, side: int) -> bytes:
    """Return a clip's thumbnail: a WebP picture ``(frames * height, width)`` of its first 1.6 seconds.

    Args:
        store: the cache.
        index: of the clip in it.
        side: pixels of a frame's longer side; smaller frames are not enlarged.

    Raises:
        EchoAugmentError: the clip is damaged.
    """
    clip = store.lazy(index)
    count, seconds = span(clip)
    frames = store.read_frames(index, np.linspace(0, seconds * clip.fps, count, endpoint=False).astype(np.int64))
    height, width = frames.shape[1:]
    scale = side / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        frames = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
    file = io.BytesIO()
    Image.fromarray(frames.reshape(-1, frames.shape[-1])).save(file, "WEBP", quality=QUALITY, method=EFFORT)
    return file.getvalue()


def choose_side(store: ClipStore, most: float, sides: Sequence[int] = SIDES) -> tuple[int, float]:
    """Choose the largest thumbnails whose page stays small enough.

    Args:
        store: the cache; it has clips.
        most: bytes that all thumbnails may take in the page.
        sides: pixels to choose from, the most first.

    Returns:
        The last of ``sides`` where none is small enough; and the bytes to expect.
    """
    some = np.unique(np.linspace(0, len(store) - 1, min(SAMPLE, len(store))).round().astype(int))
    for side in sides:
        mean = float(np.mean([len(make_strip(store, int(index), side)) for index in some]))
        expected = mean * len(store) * 4 / 3  # base64: four letters for three bytes
        if expected <= most:
            break
    return side, expected
