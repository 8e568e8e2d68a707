"""Read a packed dataset's videos, with their colours, from the clip store instead of from video files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache import ClipStore
from echo_augment.cache.clip import is_real
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import file_hash

from .probe import RATE_TOLERANCE, content_hash, first_hash, probe_video
from .records import VideoInfo
from .selection import Selection, Skipped

Frames = npt.NDArray[np.uint8]
CHANNELS = ("red", "green", "blue")


def tint_tables(luma: Frames, rgb: Frames) -> dict[str, Frames] | None:
    """Return how the colours of a grey video follow from its grey levels.

    The colour planes of EchoNet's files are constant but not quite neutral, so red and blue differ from the grey level
    by up to 2 of 255, always alike for the same level. Three tables of 256 values therefore hold them all.

    Args:
        luma: ``(T, H, W)`` uint8.
        rgb: ``(T, H, W, 3)`` uint8, the same frames in colour.

    Returns:
        ``(256,)`` tables by channel, without those that change nothing; None if a colour is no function of the grey
        level.
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


class Tint:
    """Give grey frames the colours of their video. A channel like another one is not computed twice.

    Args:
        tables: tables from `tint_tables`; a channel without one is the grey level itself.
    """

    def __init__(self, tables: Mapping[str, Frames]) -> None:
        self._tables = [tables.get(name) for name in CHANNELS]
        keys = [None if table is None else table.tobytes() for table in self._tables]
        self._like = [keys.index(key) for key in keys]  # the first channel of the same table
        self._shifts = [None if table is None else _shift(table) for table in self._tables]

    def __call__(self, grey: Frames) -> Frames:
        """Turn grey levels ``(N, H, W)`` into colours ``(N, H, W, 3)``, of which each channel lies in one piece."""
        planes, flat = np.empty((3, *grey.shape), np.uint8), grey.reshape(-1, grey.shape[-1])
        if not grey.size:  # OpenCV refuses it
            return np.moveaxis(planes, 0, -1)
        for place, (plane, like, table, shift) in enumerate(
            zip(planes, self._like, self._tables, self._shifts, strict=True)
        ):
            if like != place:
                plane[:] = planes[like]
            elif table is None:
                plane[:] = grey
            elif shift is None:
                cv2.LUT(flat, table, plane.reshape(flat.shape))
            elif shift < 0:  # OpenCV's sums stop at 0 and 255
                cv2.subtract(flat, np.full_like(flat, -shift), plane.reshape(flat.shape))
            else:
                cv2.add(flat, np.full_like(flat, shift), plane.reshape(flat.shape))
        return np.moveaxis(planes, 0, -1)


def _shift(table: Frames) -> int | None:
    """Return by how much a table moves every grey level, stopping at 0 and 255; None if it does something else.

    All tables of EchoNet's files do that, and it takes a twentieth of the time of looking up every pixel.
    """
    levels = np.arange(256)
    shift = int(table[128]) - 128
    return shift if np.array_equal(table, np.clip(levels + shift, 0, 255)) else None


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
        extra = clip.provenance.extra if clip.provenance else {}
        self.file_bytes, self.content = int(extra["bytes"]), str(extra["content"])
        self._mtime, self._file = extra.get("mtime"), extra.get("file")
        there = [name for name in CHANNELS if name in extra]
        self._tint = Tint({name: np.frombuffer(bytes.fromhex(extra[name]), np.uint8) for name in there})

    def __len__(self) -> int:
        return self._count

    def is_of(self, path: Path) -> bool:
        """Return whether a video file shows what was packed, at the same rate.

        Size and time of the last change are enough where both are as they were. Else the bytes decide, and where they
        differ as well (a copy in another container), the decoded frames, from the first one on, and frames per second.

        Raises:
            EchoAugmentError: the file cannot be read.
        """
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) == (self.file_bytes, self._mtime) or file_hash(path) == self._file:
            return True
        facts = probe_video(path)
        if len(self) == 0 or facts.first != first_hash(len(self), self.shape, self.read(np.array([0]))):
            return False
        if facts.fps > 0 and abs(facts.fps - self.fps) > RATE_TOLERANCE * facts.fps:
            return False
        return content_hash(path) == self.content

    def read(self, wanted: npt.NDArray[np.integer] | None = None, *, rgb: bool = False) -> Frames:
        """Return the frames ``wanted`` in that order, or all: ``(N, H, W)`` grey, or ``(N, H, W, 3)`` with ``rgb``.

        Raises:
            EchoAugmentError: the clip is damaged; the message names shard, clip and remedy.
        """
        grey = self._store.read_frames(self._index, wanted)
        return self._tint(grey) if rgb else grey


class PackedVideos:
    """The videos of a packed dataset by name. Cheap to pickle; each process opens its own files.

    Args:
        folder: folder that ``echo-augment cache action=pack`` wrote.

    Raises:
        EchoAugmentError: the folder holds no store, or one of synthetic clips.
    """

    def __init__(self, folder: str | Path) -> None:
        self.store = ClipStore(folder)
        if len(self.store) and not is_real(self.store.fingerprint):
            raise EchoAugmentError(
                f"{folder} holds synthetic clips, not a packed dataset",
                "Give SyntheticAugment the clips as CachedClips(folder), and store= what cache action=pack wrote",
            )
        self._videos: dict[str, PackedVideo] = {}

    def __getstate__(self) -> dict[str, ClipStore]:
        return {"store": self.store}

    def __setstate__(self, state: dict[str, ClipStore]) -> None:
        self.store, self._videos = state["store"], {}

    def video(self, row: VideoInfo) -> PackedVideo:
        """Return the video of a row.

        Raises:
            EchoAugmentError: it is not in the store, or is another video of the same name.
        """
        if row.name not in self._videos:
            index = self.store.ids.find(row.name)
            again = "Pack again: echo-augment cache action=pack"
            if index < 0:
                raise EchoAugmentError(f"{row.path}: is not in the store {self.store.folder}", again)
            video = PackedVideo(self.store, index)
            if not video.is_of(row.path):
                raise EchoAugmentError(
                    f"{row.path}: is not the video of that name in the store {self.store.folder} (now "
                    f"{row.path.stat().st_size} bytes, packed {video.file_bytes} at {video.fps:g} frames per second)",
                    f"{again}, into an empty folder",
                )
            self._videos[row.name] = video
        return self._videos[row.name]

    def select(self, rows: Iterable[VideoInfo]) -> Selection:
        """Select the rows whose video is in the store, and say why the others are left out."""
        kept, skipped = [], []
        for row in rows:
            try:
                self.video(row)
            except EchoAugmentError as error:
                skipped.append(Skipped(row.name, str(error)))
            else:
                kept.append(row)
        return Selection(kept, skipped)
