"""Decide which items of an epoch are synthetic and which clip each gets: pure functions of seed, epoch and `p`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from echo_augment.cache.arguments import check_choice, check_seed, check_share
from echo_augment.cache.errors import EchoAugmentError

from .adapters import base_ef
from .sources.source import ClipSource

Bins = Mapping[tuple[float, float], float]
Share = float | Sequence[float] | Callable[[int], float] | Bins


def share_at(p: Share, epoch: int) -> dict[tuple[float, float], float]:
    """Return the share of synthetic items per EF bin at ``epoch``; the bin ``(-inf, inf)`` if ``p`` has no bins.

    Args:
        p: a number; a sequence with a number for each epoch, of which the last one goes on; a callable ``epoch ->
            number``; or a mapping ``(low, high) -> number`` of EF bins in percent, ``low <= EF < high`` (100 belongs to
            a bin that ends at 100).
        epoch: number of the epoch, at least 0.

    Raises:
        EchoAugmentError: a share outside [0, 1], an empty schedule, or bins that are empty or overlap.
    """
    everything = (-np.inf, np.inf)
    if isinstance(p, Mapping):
        return check_bins(p)
    if callable(p):
        return {everything: check_share(f"p({epoch})", p(epoch))}
    if isinstance(p, Sequence | np.ndarray) and not isinstance(p, str):
        if len(p) == 0:
            raise EchoAugmentError("the schedule p is empty", "Give at least one number, for instance p=[0.0, 0.5]")
        last = min(epoch, len(p) - 1)
        return {everything: check_share(f"p[{last}]", p[last])}
    return {everything: check_share("p", p)}


def check_bins(p: Bins) -> dict[tuple[float, float], float]:
    """Return ``p`` with its bins in order.

    Raises:
        EchoAugmentError: no bin, a key that is not ``(low, high)`` with ``low < high``, an overlap, a share outside
            [0, 1].
    """
    for key in p:
        if not (isinstance(key, tuple) and len(key) == 2 and key[0] < key[1]):
            raise EchoAugmentError(f"an EF bin of p must be (low, high) with low < high, got {key!r}")
    bins = {(float(key[0]), float(key[1])): check_share(f"p[{key}]", p[key]) for key in sorted(p)}
    if not bins:
        raise EchoAugmentError("p has no EF bin", "Give for instance p={(0, 40): 0.7, (40, 100): 0.3}")
    keys = list(bins)
    for before, after in pairwise(keys):
        if after[0] < before[1]:
            raise EchoAugmentError(f"the EF bins {before} and {after} of p overlap")
    return bins


def members(ef: npt.NDArray[np.float64], bins: Sequence[tuple[float, float]]) -> list[npt.NDArray[np.int64]]:
    """Return for each bin the positions in ``ef`` (percent) that fall into it."""
    result = []
    for low, high in bins:
        inside = (ef >= low) & ((ef < high) | ((ef == 100) & (high == 100)))
        result.append(np.flatnonzero(inside if np.isfinite([low, high]).any() else np.ones(len(ef), bool)))
    return result


MIX, WINDOW = 0x4D49, 0x5749  # tags that keep the random streams apart


@dataclass(frozen=True, slots=True)
class EpochMix:
    """The decisions for one epoch.

    Attributes:
        clip: number of the clip that each item gets, -1 for a real item; ``(N,)`` int64.
        base: number of the base item that each item is, or whose form a synthetic item takes; ``(N,)`` int64.
    """

    clip: npt.NDArray[np.int64]
    base: npt.NDArray[np.int64]


def extra_count(items: int, share: float) -> int:
    """Return how many synthetic items, added to ``items`` real ones, make up ``share`` of the whole.

    Raises:
        EchoAugmentError: ``share`` is 1, which no number of items reaches.
    """
    if share >= 1:
        raise EchoAugmentError('p=1 is not possible with mode="extend": the real items stay', "Choose p < 1")
    return round(items * share / (1 - share))


def mix_epoch(
    *,
    seed: int,
    epoch: int,
    items: Sequence[npt.NDArray[np.int64]],
    clips: Sequence[npt.NDArray[np.int64]],
    shares: Sequence[float],
    length: int,
    extend: bool = False,
) -> EpochMix:
    """Decide a whole epoch.

    To replace items, those of a bin are put in random order and the first ``share`` of them become synthetic
    (systematic sampling: the share is met within one item, each item's chance is exactly ``share``, and a larger share
    keeps all synthetic items of a smaller one). To extend, items ``length``, ``length + 1``, ... are added, bin after
    bin. Clips of a bin are drawn without repetition until all are used, in an order that changes with the epoch.

    Args:
        seed: seed of all decisions, at least 0.
        epoch: number of the epoch, at least 0.
        items: base items in each bin.
        clips: clips in each bin; not empty if the bin's share is positive.
        shares: share of synthetic items in each bin, in [0, 1].
        length: number of base items.
        extend: whether to add items instead of replacing them.
    """
    rng = np.random.default_rng([MIX, seed, epoch])
    clip = np.full(length, -1, np.int64)
    extra_clips, extra_base = [], []
    for own, available, share in zip(items, clips, shares, strict=True):
        order, offset = rng.permutation(len(own)), rng.random()
        deck = rng.permutation(len(available))
        if extend:
            count = extra_count(len(own), share)
            stand_in = np.resize(own[order], count)
            extra_base.append(stand_in)
            extra_clips.append(available[np.resize(deck, count)])
        else:
            count = int(np.count_nonzero((np.arange(len(own)) + offset) / max(len(own), 1) < share))
            clip[own[order[:count]]] = available[np.resize(deck, count)]
    base = np.arange(length, dtype=np.int64)
    return EpochMix(np.concatenate([clip, *extra_clips]), np.concatenate([base, *extra_base]))


def item_rng(seed: int, epoch: int, index: int, tag: int = WINDOW) -> np.random.Generator:
    """Return the random stream of one item: a pure function of the arguments; touches no global stream."""
    return np.random.default_rng([tag, seed, epoch, index])


class Mixer:
    """Makes the decisions of `SyntheticAugment`; ``mixer.at(epoch)`` depends on the epoch only.

    Args:
        base: wrapped dataset.
        source: source of the clips.
        p: share of synthetic items, as `share_at` takes it.
        mode: ``"replace"`` or ``"extend"``.
        seed: seed of all decisions, at least 0.
        ef: EF of every base item in percent; None reads it from ``base`` if ``p`` has EF bins.

    Raises:
        EchoAugmentError: a value out of its range, or no clip for a bin that needs one.
    """

    def __init__(
        self,
        base: Any,
        source: ClipSource,
        *,
        p: Share,
        mode: Literal["replace", "extend"],
        seed: int,
        ef: npt.ArrayLike | None = None,
    ) -> None:
        check_choice("mode", mode, ("replace", "extend"))
        if mode == "extend" and not isinstance(p, Mapping | float | int | np.number):
            raise EchoAugmentError(
                'p must be a number or EF bins with mode="extend": the length cannot change with the epoch',
                'Use mode="replace" for a schedule',
            )
        self.p, self.mode, self.seed, self.length = p, mode, check_seed(seed), len(base)
        bins, binned = list(share_at(p, 0)), isinstance(p, Mapping)
        self._items = members(base_ef(base, ef) if binned else np.zeros(len(base)), bins)
        self._clips = members(np.asarray(source.ef, np.float64) if binned else np.zeros(len(source)), bins)
        self._last: tuple[int, EpochMix] | None = None
        self.total = len(self.at(0).clip)

    def at(self, epoch: int) -> EpochMix:
        """Return the decisions for ``epoch``; those of the last epoch asked for are kept.

        Raises:
            EchoAugmentError: the epoch's share is out of range, or a bin that needs clips has none.
        """
        if self._last is None or self._last[0] != epoch:
            self._last = (epoch, self._decide(epoch))
        return self._last[1]

    def _decide(self, epoch: int) -> EpochMix:
        shares = share_at(self.p, epoch)
        for (low, high), share, items, clips in zip(shares, shares.values(), self._items, self._clips, strict=True):
            if share > 0 and len(items) and not len(clips):
                which = f" with EF in [{low:g}, {high:g}) percent" if np.isfinite(low) else ""
                raise EchoAugmentError(
                    f"p={share:g} needs synthetic clips, and the source has no clip{which}",
                    "Fill the cache first (echo-augment fill-cache), or choose p=0",
                )
        return mix_epoch(
            seed=self.seed,
            epoch=epoch,
            items=self._items,
            clips=self._clips,
            shares=list(shares.values()),
            length=self.length,
            extend=self.mode == "extend",
        )
