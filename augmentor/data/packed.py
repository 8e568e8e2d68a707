"""A packed data set's videos, read from the clip store instead of from video files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.cache import ClipStore
from echo_augment.cache.clip import is_real
from echo_augment.cache.errors import EchoAugmentError

from .records import VideoInfo
from .selection import Selection, Skipped
from .tint import CHANNELS, Frames, Tint


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
        there = [name for name in CHANNELS if name in extra]
        self._tint = Tint({name: np.frombuffer(bytes.fromhex(extra[name]), np.uint8) for name in there})

    def __len__(self) -> int:
        return self._count

    def read(self, wanted: npt.NDArray[np.integer] | None = None, *, rgb: bool = False) -> Frames:
        """Frames in the order of ``wanted``, or all: ``(N, H, W)`` grey, or ``(N, H, W, 3)`` with ``rgb``.

        Raises:
            EchoAugmentError: the clip is damaged; names shard, clip and remedy.
        """
        grey = self._store.read_frames(self._index, wanted)
        return self._tint(grey) if rgb else grey


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
