"""A clip of a cache whose pixels are still in their file."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..clip import EchoClip


class Reader(Protocol):
    """What a stored clip reads from; a ``ShardReader`` is one."""

    def count(self, row: int) -> int:
        """Number of frames."""

    def frames(self, row: int, wanted: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.uint8]:
        """All frames or some."""

    def masks(self, row: int) -> npt.NDArray[np.bool_] | None:
        """All masks."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Stands for the frames or masks of a clip until they are asked for."""

    reader: Reader
    row: int


class StoredClip(EchoClip):
    """An `EchoClip` whose frames and masks are read, and checked, when they are first asked for.

    Training takes half of a clip's frames and no masks, so that half of the work need not be done. It pickles, and
    ``dataclasses.replace`` works, as a whole clip.

    Raises:
        EchoAugmentError: from ``frames``, ``masks`` and :meth:`take`, where the clip is damaged.
    """

    __slots__ = ("_frames", "_masks")
    _frames: Any
    _masks: Any

    def __post_init__(self) -> None:
        self.check_labels()

    @property
    def frames(self) -> npt.NDArray[np.uint8]:
        """``(T, H, W)`` uint8 grayscale."""
        if isinstance(self._frames, Unread):
            object.__setattr__(self, "_frames", self._frames.reader.frames(self._frames.row))
        return self._frames

    @frames.setter
    def frames(self, value: Any) -> None:
        object.__setattr__(self, "_frames", value)

    @property
    def masks(self) -> npt.NDArray[np.bool_] | None:
        """LV masks ``(T, H, W)`` bool, or None."""
        if isinstance(self._masks, Unread):
            object.__setattr__(self, "_masks", self._masks.reader.masks(self._masks.row))
        return self._masks

    @masks.setter
    def masks(self, value: Any) -> None:
        object.__setattr__(self, "_masks", value)

    @property
    def n_frames(self) -> int:
        """Number of frames; reads none."""
        unread = self._frames
        return unread.reader.count(unread.row) if isinstance(unread, Unread) else len(unread)

    def take(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """The frames at ``indices``, ``(len(indices), H, W)``; only these are decoded."""
        unread = self._frames
        if isinstance(unread, Unread):
            return unread.reader.frames(unread.row, np.asarray(indices, np.int64))
        return unread[indices]
