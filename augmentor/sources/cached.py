"""A source of the clips of a cache on disk, all or all but some."""

import json
import warnings
from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.cache import ClipStore, EchoClip
from echo_augment.cache.clip import refuse_real
from echo_augment.cache.errors import EchoAugmentError


class CachedClips:
    """The sealed clips of a cache folder as a source for `SyntheticAugment`.

    It pickles to a path and the names of the shards; each process opens its own files when it first reads. Clips are
    sorted by id, so that the order does not depend on how the cache was filled. A fill in the meantime does not change
    an open source. Only what is asked for is read: an adapter that takes every second frame and no masks pays for these
    frames only.

    ``source[i]`` is the stored `echo_augment.cache.EchoClip`. Besides ``ef`` it has the ``confidence`` in that label, 0
    to 1, which ``SyntheticAugment(..., weights=True)`` hands to the loss, and in ``provenance`` the ``label_policy``,
    with ``donor_ef`` and ``teacher_ef`` in ``extra`` if a teacher read the clip.

    Args:
        folder: folder of the cache, as ``echo-augment fill-cache`` writes it.
        exclude: clips to leave out: a collection of ids, or the path of a file as the gallery (``echo-augment cache
            action=gallery``) saves it, with one id a line or a JSON list of ids. ``ef``, ``donors``, ``ids`` and the
            length are then those of the remaining clips, and the fingerprint tells that some are left out.

    Raises:
        EchoAugmentError: no cache at ``folder``, a damaged one, or one of real clips; names the file and the remedy.
            Damage of a clip is found when its frames are first asked for. An excluded id that is not in the cache; in a
            file only if none of its ids is, otherwise a warning counts them, because the list may be older than the
            cache. Or no clip is left.

    Example:
        >>> import tempfile
        >>> from echo_augment.cache import StoreWriter
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with StoreWriter(folder) as writer:
        ...         writer.add(EchoClip("a", np.zeros((16, 112, 112), np.uint8), fps=50, ef=60))
        ...     source = CachedClips(folder)
        ...     shape = source[0].frames.shape
        >>> len(source), shape
        (1, (16, 112, 112))
    """

    def __init__(self, folder: str | Path, *, exclude: str | Path | Collection[str] | None = None) -> None:
        self.store = ClipStore(folder)
        refuse_real(folder, self.store.fingerprint)
        self._excluded = frozenset[str]() if exclude is None else _excluded(self.store, exclude)
        self._places: npt.NDArray[np.int64] | None = None
        if self._excluded:
            gone = [self.store.ids.find(name) for name in self._excluded]
            self._places = np.delete(np.arange(len(self.store)), gone)
            if not len(self._places):
                raise EchoAugmentError(f"exclude leaves out all {len(self.store)} clips of {folder}", "Keep some")

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the clips, in their order."""
        return self.store.ids if self._places is None else [self.store.ids[int(place)] for place in self._places]

    @property
    def places(self) -> list[int]:
        """Positions of the clips in the cache, in their order."""
        return list(range(len(self.store))) if self._places is None else [int(place) for place in self._places]

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of every clip in percent, ``(N,)``; NaN if unknown."""
        ef = np.asarray(self.store.ef, np.float64)
        return ef if self._places is None else ef[self._places]

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the generator that made the clips, and of the clips that are left out."""
        if not self._excluded:
            return self.store.fingerprint
        digest = sha256("\n".join(sorted(self._excluded)).encode()).hexdigest()[:12]
        return f"{self.store.fingerprint}-without-{len(self._excluded)}-{digest}"

    @property
    def donors(self) -> frozenset[str]:
        """Names of all motion and appearance donors, from the shards' tables; no frames are read."""
        names: set[bytes] = set()
        gone = [name.encode() for name in self._excluded]
        for table in self.store.tables():
            kept = table[~np.isin(table["id"], gone)] if gone else table
            names.update(kept["motion_donor"].tolist(), kept["appearance_donor"].tolist())
        return frozenset(name.decode() for name in names if name)

    def __len__(self) -> int:
        return len(self.store) if self._places is None else len(self._places)

    def __getitem__(self, index: int) -> EchoClip:
        return self.store.lazy(index if self._places is None else int(self._places[index]))


def _excluded(store: ClipStore, exclude: str | Path | Collection[str]) -> frozenset[str]:
    """Return the ids to leave out, all of them in the store."""
    listed = isinstance(exclude, str | Path)
    names = read_ids(exclude) if isinstance(exclude, str | Path) else frozenset(exclude)
    absent = sorted(name for name in names if name not in store.ids)
    if absent and (not listed or len(absent) == len(names)):
        where = f"{exclude}: " if listed else ""
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise EchoAugmentError(
            f"{where}clip {absent[0]!r}{more} to exclude is not in the cache {store.folder}",
            "Give ids of this cache; a file is given by its path",
        )
    if absent:
        text = f"{exclude}: {len(absent)} of {len(names)} clips to exclude are not in the cache {store.folder}"
        warnings.warn(text, stacklevel=3)
    return names - set(absent)


def read_ids(path: str | Path) -> frozenset[str]:
    """Read a list of clip ids: one a line, or a JSON list.

    Raises:
        EchoAugmentError: the file cannot be read, or is neither.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig").strip()
        found = json.loads(text) if text.startswith(("[", "{")) else text.splitlines()
    except (OSError, ValueError) as error:
        raise EchoAugmentError(
            f"exclude: {path} cannot be read: {error}",
            "Give a file with one id a line or a JSON list, or a list of ids",
        ) from error
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise EchoAugmentError(f"exclude: {path} holds JSON, but no list of ids", 'Write ["id", "id"]')
    return frozenset(name for line in found if (name := line.strip()))
