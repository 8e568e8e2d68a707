"""The clips of a cache whose label a run may know."""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor import CachedClips
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.manifest import SHARDS
from echo_augment.cache.shard_reader import ShardReader


class ClipsOfMotionDonors:
    """The clips of a cache whose motion donor is one of some hearts, as a source for `SyntheticAugment`.

    The motion donor gives a clip its label, so a run with few labels must not see clips of other motion donors: they
    would bring labels in by the back door. Appearance donors give no label and may be any TRAIN hearts.

    Args:
        source: the cache.
        donors: names of the hearts whose labels are known.

    Raises:
        EchoAugmentError: no clip is left.
    """

    def __init__(self, source: CachedClips, donors: Collection[str]) -> None:
        self.source, wanted = source, set(donors)
        owner: dict[str, str] = {}
        looks: dict[str, str] = {}
        for shard in source.store.shards:
            reader = ShardReader(source.store.folder / SHARDS / shard)
            columns = [[bytes(value).decode() for value in reader.table[name]] for name in COLUMNS]
            owner |= dict(zip(columns[0], columns[1], strict=True))
            looks |= dict(zip(columns[0], columns[2], strict=True))
            reader.close()
        self.places = np.array([k for k, name in enumerate(source.store.ids) if owner[name] in wanted], np.int64)
        if not len(self.places):
            raise EchoAugmentError(
                f"cache {source.store.folder}: none of its {len(source)} clips has a labelled heart of this run as "
                "motion donor",
                "Fill a cache from the labelled hearts, or use the labels and seed that it was filled for",
            )
        kept = [source.store.ids[int(place)] for place in self.places]
        self.donors = frozenset({owner[name] for name in kept} | {looks[name] for name in kept} - {""})

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of every clip in percent, ``(N,)``; NaN where there is none."""
        return self.source.ef[self.places]

    @property
    def fingerprint(self) -> str:
        """Of the generator that made the clips."""
        return self.source.fingerprint

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> EchoClip:
        return self.source[int(self.places[index])]


COLUMNS = ("id", "motion_donor", "appearance_donor")
