"""A packed data set's videos, read from the clip store instead of from video files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache import ClipStore
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.real import is_real

from .records import VideoInfo
from .selection import Selection, Skipped

Frames = npt.NDArray[np.uint8]
CHANNELS = ("red", "green", "blue")


def tint_tables(luma: Frames, rgb: Frames) -> dict[str, Frames] | None:
    """How the colours of a grey video follow from its grey levels.

    The colour planes of EchoNet's files are constant but not quite neutral, so red and blue differ from the grey level
    by up to 2 of 255, always alike for the same level. These three tables of 256 values are all there is to them.

    Args:
        luma: ``(T, H, W)``.
        rgb: ``(T, H, W, 3)``, the same frames in colour.

    Returns:
        The tables by channel, without those that change nothing; None where a colour is no function of the grey level.
    """
    tables = {}
    for place, name in enumerate(CHANNELS):
        table = np.arange(256, dtype=np.uint8)
        table[luma] = rgb[..., place]
        if not np.array_equal(table[luma], rgb[..., place]):
            return None
        if (table != np.arange(256)).any():
            tables[name] = table
    return tables


class PackedVideo:
    """One video of a store, read like an open file.

    Attributes:
        shape: ``(H, W)`` in pixels.
        fps: frames per second.
    """

    def __init__(self, store: ClipStore, index: int) -> None:
        clip = store.lazy(index)
        self._store, self._index, self._count = store, index, clip.n_frames
        self.shape, self.fps = store.size_of(index), clip.fps
        extra: dict[str, Any] = clip.provenance.extra if clip.provenance else {}
        self.file_bytes, self.content = int(extra["bytes"]), str(extra["content"])
        tables = (extra.get(name) for name in CHANNELS)
        self._tables = [None if table is None else np.frombuffer(bytes.fromhex(table), np.uint8) for table in tables]

    def __len__(self) -> int:
        return self._count

    def read(self, wanted: npt.NDArray[np.integer] | None = None, *, rgb: bool = False) -> Frames:
        """Frames in the order of ``wanted``, or all: ``(N, H, W)`` grey, or ``(N, H, W, 3)`` with ``rgb``.

        Raises:
            EchoAugmentError: the clip is damaged; names shard, clip and remedy.
        """
        grey = self._store.read_frames(self._index, wanted)
        if not rgb:
            return grey
        flat = grey.reshape(-1, grey.shape[-1])
        planes = np.empty((3, *flat.shape), np.uint8)
        for plane, table in zip(planes, self._tables, strict=True):
            if table is None:
                plane[:] = flat
            else:
                cv2.LUT(flat, table, plane)
        return np.moveaxis(planes.reshape(3, *grey.shape), 0, -1)


class PackedVideos:
    """The videos of a packed data set by name. Cheap to pickle; each process opens its own files.

    Args:
        folder: that ``echo-augment cache action=pack`` wrote.

    Raises:
        EchoAugmentError: no store there, or one of synthetic clips.
    """

    def __init__(self, folder: str | Path) -> None:
        self.store = ClipStore(folder)
        if len(self.store) and not is_real(self.store.fingerprint):
            raise EchoAugmentError(
                f"{folder} holds synthetic clips, not a packed data set",
                "Give SyntheticAugment the clips as CachedClips(folder), and store= what cache action=pack wrote",
            )
        self._videos: dict[str, PackedVideo] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"store": self.store}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.store, self._videos = state["store"], {}

    def video(self, row: VideoInfo) -> PackedVideo:
        """The video of a row.

        Raises:
            EchoAugmentError: it is not in the store, or is another video of the same name.
        """
        if row.name not in self._videos:
            index = self.store.ids.find(row.name)
            again = "Pack again: echo-augment cache action=pack"
            if index < 0:
                raise EchoAugmentError(f"{row.path}: is not in the store {self.store.folder}", again)
            video = PackedVideo(self.store, index)
            size = row.path.stat().st_size
            if size != video.file_bytes:
                raise EchoAugmentError(
                    f"{row.path}: has {size} bytes, the video of that name in the store {self.store.folder} had "
                    f"{video.file_bytes}",
                    f"{again}, into an empty folder",
                )
            self._videos[row.name] = video
        return self._videos[row.name]

    def select(self, rows: Iterable[VideoInfo]) -> Selection:
        """The rows whose video is in the store, and the others with the reason."""
        kept, skipped = [], []
        for row in rows:
            try:
                self.video(row)
            except EchoAugmentError as error:
                skipped.append(Skipped(row.name, str(error)))
            else:
                kept.append(row)
        return Selection(kept, skipped)
