"""Clips of a cache on disk."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.cache import ClipStore, EchoClip
from echo_augment.cache.clip import refuse_real

from .source import checked_index


class CachedClips:
    """The sealed clips of a cache folder as a source for `SyntheticAugment`.

    Cheap to pickle (a path and the names of the shards); each process opens its own files when it first reads. Clips
    come in the order of their ids, the same however the cache was filled. A fill that goes on meanwhile does not
    change an open source. Of a clip no more is read than is asked for: an adapter that takes every second frame and no
    masks pays for these frames only.

    ``source[i]`` is the stored `echo_augment.cache.EchoClip`: besides ``ef`` it has the ``confidence`` in that label, 0
    to 1, which ``SyntheticAugment(.., weights=True)`` hands to the loss, and in ``provenance`` the ``label_policy``,
    with ``donor_ef`` and ``teacher_ef`` in ``extra`` where a teacher read the clip.

    Args:
        folder: of the cache, as ``echo-augment fill-cache`` writes it.

    Raises:
        EchoAugmentError: no cache at ``folder``, a damaged one, or one of real clips; names the file and the remedy. A
            clip's own damage shows when its frames are first asked for.

    Example:
        >>> source = CachedClips("cache/dynamic")  # doctest: +SKIP
        >>> train = SyntheticAugment(base, source, p=0.5)  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path) -> None:
        self.store = ClipStore(folder)
        refuse_real(folder, self.store.fingerprint)

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of every clip in percent, ``(N,)``; NaN where there is none."""
        return np.asarray(self.store.ef, np.float64)

    @property
    def fingerprint(self) -> str:
        """Of the generator that made the clips."""
        return self.store.fingerprint

    @property
    def donors(self) -> frozenset[str]:
        """Names of all motion and appearance donors, from the shards' tables; no frames are read."""
        names: set[bytes] = set()
        for table in self.store.tables():
            names.update(table["motion_donor"].tolist(), table["appearance_donor"].tolist())
        return frozenset(name.decode() for name in names if name)

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> EchoClip:
        return self.store.lazy(checked_index(index, len(self.store)))
