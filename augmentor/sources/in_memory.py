"""Clips that are already in memory."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

from .source import checked_index, donor_names


class InMemoryClips:
    """A list of clips as a source; for tests, for the exact counterfactuals of phantoms, for a handful of clips.

    Not for large caches: the list is copied into every spawned DataLoader worker. `CachedClips` is not.

    Args:
        clips: any iterable of `EchoClip`.
        fingerprint: of what made them, for ``state_dict`` and reports.

    Raises:
        EchoAugmentError: two clips share an id.
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
        """EF of every clip in percent, ``(N,)``; NaN where there is none."""
        return np.array([clip.ef for clip in self.clips], np.float64)

    @property
    def donors(self) -> frozenset[str]:
        """Names of all motion and appearance donors."""
        return donor_names(clip.provenance for clip in self.clips)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> EchoClip:
        return self.clips[checked_index(index, len(self.clips))]
