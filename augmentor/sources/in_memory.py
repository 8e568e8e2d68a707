"""A source of clips that are in memory."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError


class InMemoryClips:
    """A list of clips as a source: for tests, for exact counterfactuals of phantoms, for a handful of clips.

    Not for large caches, because every spawned DataLoader worker gets a copy of the list; use `CachedClips`.

    Args:
        clips: the clips.
        fingerprint: fingerprint of what made them, for ``state_dict`` and reports.

    Raises:
        EchoAugmentError: two clips have the same id.

    Example:
        >>> clips = [EchoClip(name, np.zeros((16, 112, 112), np.uint8), fps=50, ef=60) for name in ("a", "b")]
        >>> source = InMemoryClips(clips)
        >>> len(source), source[1].clip_id, source.ef.tolist()
        (2, 'b', [60.0, 60.0])
    """

    def __init__(self, clips: Iterable[EchoClip], *, fingerprint: str = "") -> None:
        self.clips = list(clips)
        self.fingerprint = fingerprint
        self.ids = [clip.clip_id for clip in self.clips]
        if len(set(self.ids)) != len(self.ids):
            twice = next(name for place, name in enumerate(self.ids) if name in self.ids[:place])
            raise EchoAugmentError(f"two clips have the id {twice!r}", "Give every clip an id of its own")

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of every clip in percent, ``(N,)``; NaN if unknown."""
        return np.array([clip.ef for clip in self.clips], np.float64)

    @property
    def donors(self) -> frozenset[str]:
        """Names of all motion and appearance donors."""
        origins = [clip.provenance for clip in self.clips if clip.provenance is not None]
        return frozenset({name for one in origins for name in (one.motion_donor, one.appearance_donor)} - {""})

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> EchoClip:
        return self.clips[index]
