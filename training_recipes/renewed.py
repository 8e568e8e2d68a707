"""Fresh clips among cached ones, so that a training can be repeated to the bit."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

FRESH = 106  # tag that keeps this random stream apart


class RenewedClips:
    """A stock of clips that are served again and again, and for a share of items clips that come fresh and go.

    What `echo_augment.augmentor.MixedClips` is to a live generator, for benchmarks: which clip of a generator is ready
    depends on timing, so two trainings with one never see the same clips, and no figure could be had twice. Here the
    fresh clips were made before, in the order of the cache, and an item's clip is a pure function of
    ``(seed, epoch, index)``: fresh clip number k is served to ``reuse`` items on average and then never again, until
    all were, when they begin anew.

    Args:
        source: the clips; the first ``stock`` of them are the cached ones, the others come fresh.
        fresh: share of synthetic items that get a fresh clip, in [0, 1].
        stock: cached clips.
        reuse: items that get the same fresh clip, on average; ``LiveClips`` serves each at most four times.
        items: of an epoch.
        p: share of synthetic items of an epoch.

    Raises:
        EchoAugmentError: a value out of its range, or no clip is left to come fresh.
    """

    def __init__(self, source: Any, *, fresh: float, stock: int, reuse: float, items: int, p: float) -> None:
        if not 0 <= fresh <= 1:
            raise EchoAugmentError(f"fresh must be in [0, 1], got {fresh!r}")
        if reuse < 1:
            raise EchoAugmentError(f"reuse must be at least 1, got {reuse!r}")
        if not 1 <= stock <= len(source) - (fresh > 0):
            raise EchoAugmentError(
                f"stock must be at least 1 and leave clips to come fresh, got {stock} of {len(source)} clips",
                "Fill more clips (clips=NUMBER), or take a smaller stock of the arm",
            )
        self.source, self.fresh, self.stock = source, fresh, stock
        self._items, self._pace = items, p * fresh / reuse  # fresh clips an item, on average

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """EF of the cached clips in percent, ``(stock,)``."""
        return np.asarray(self.source.ef[: self.stock], np.float64)

    @property
    def fingerprint(self) -> str:
        """Of the generator that made the clips."""
        return str(getattr(self.source, "fingerprint", ""))

    @property
    def donors(self) -> Collection[str]:
        """Names of all donors."""
        return frozenset(getattr(self.source, "donors", ()))

    def __len__(self) -> int:
        return self.stock

    def __getitem__(self, index: int) -> EchoClip:
        clip: EchoClip = self.source[index]
        return clip

    def take(self, index: int, key: tuple[int, int, int]) -> tuple[EchoClip, str]:
        """A fresh or a cached clip, and how it is counted; ``key`` is seed, epoch and index of the item."""
        if np.random.default_rng([FRESH, *key]).random() >= self.fresh:
            return self[index], "cached"
        turn = int((key[1] * self._items + key[2]) * self._pace)
        return self[self.stock + turn % (len(self.source) - self.stock)], "fresh"
