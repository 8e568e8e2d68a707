"""Which items of an epoch are synthetic, and which clip each gets: pure functions of the seed, the epoch and `p`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError

from .adapters import base_ef
from .sources.source import ClipSource

Bins = Mapping[tuple[float, float], float]
Share = float | Sequence[float] | Callable[[int], float] | Bins


def check_share(value: Any, name: str = "p") -> float:
    """``value`` as a share in [0, 1].

    Raises:
        EchoAugmentError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise EchoAugmentError(f"{name} must be in [0, 1], got {value!r}")
    return float(value)


def share_at(p: Share, epoch: int) -> dict[tuple[float, float], float]:
    """The share of synthetic items per EF bin at ``epoch``; the single bin ``(-inf, inf)`` where ``p`` has no bins.

    Args:
        p: a number; a sequence with one number per epoch, whose last one holds on; a callable ``epoch -> number``;
            or a mapping ``(low, high) -> number`` of EF bins in percent, ``low <= EF < high`` (100 belongs to a bin
            that ends at 100).
        epoch: at least 0.

    Raises:
        EchoAugmentError: a share outside [0, 1], an empty schedule, or bins that are empty or overlap.
    """
    everything = (-np.inf, np.inf)
    if isinstance(p, Mapping):
        return check_bins(p)
    if callable(p):
        return {everything: check_share(p(epoch), f"p({epoch})")}
    if isinstance(p, Sequence | np.ndarray) and not isinstance(p, str):
        if len(p) == 0:
            raise EchoAugmentError("the schedule p is empty", "Give at least one number, for instance p=[0.0, 0.5]")
        last = min(epoch, len(p) - 1)
        return {everything: check_share(p[last], f"p[{last}]")}
    return {everything: check_share(p)}


def check_bins(p: Bins) -> dict[tuple[float, float], float]:
    """``p`` with its bins in order.

    Raises:
        EchoAugmentError: no bin, a key that is no ``(low, high)`` with ``low < high``, an overlap, a share outside
            [0, 1].
    """
    for key in p:
        if not (isinstance(key, tuple) and len(key) == 2 and key[0] < key[1]):
            raise EchoAugmentError(f"an EF bin of p must be (low, high) with low < high, got {key!r}")
    bins = {(float(key[0]), float(key[1])): check_share(p[key], f"p[{key}]") for key in sorted(p)}
    if not bins:
        raise EchoAugmentError("p has no EF bin", "Give for instance p={(0, 40): 0.7, (40, 100): 0.3}")
    keys = list(bins)
    for before, after in pairwise(keys):
        if after[0] < before[1]:
            raise EchoAugmentError(f"the EF bins {before} and {after} of p overlap")
    return bins


def members(ef: npt.NDArray[np.float64], bins: Sequence[tuple[float, float]]) -> list[npt.NDArray[np.int64]]:
    """For each bin the positions in ``ef`` (percent) that fall into it."""
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
        clip: ``(N,)`` int64; the clip an item gets, -1 where it is real.
        base: ``(N,)`` int64; the base item that an item is, or that it looks like where it is synthetic.
    """

    clip: npt.NDArray[np.int64]
    base: npt.NDArray[np.int64]


def extra_count(items: int, share: float) -> int:
    """How many synthetic items make up ``share`` of the whole when added to ``items`` real ones.

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

    ``replace``: the items of a bin are put in a random order and the first ``share`` of them become synthetic
    (systematic sampling: the share is met within one item, each item's chance is exactly ``share``, and a larger
    share keeps every synthetic item of a smaller one). ``extend``: items ``length``, ``length + 1``, .. are added, bin
    after bin. Clips of a bin are dealt without repetition until all have been used, in an order of the epoch.

    Args:
        seed: at least 0.
        epoch: at least 0.
        items: per bin the base items in it.
        clips: per bin the clips in it; not empty where the bin's share is positive.
        shares: per bin, in [0, 1].
        length: of the base.
        extend: add items instead of replacing them.
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
    """The random stream of one item: a pure function of its arguments, apart from every global stream."""
    return np.random.default_rng([tag, seed, epoch, index])


class Mixer:
    """The decisions of `SyntheticAugment`, epoch by epoch; ``mixer.at(epoch)`` depends on nothing else.

    Args:
        base: the wrapped dataset.
        source: of the clips.
        p: share of synthetic items, as `share_at` takes it.
        mode: ``"replace"`` or ``"extend"``.
        seed: at least 0.
        ef: EF of every base item, or None to read it from ``base`` where ``p`` has EF bins.

    Raises:
        EchoAugmentError: a value out of its range, no clip for a bin that needs one.
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
        if mode not in ("replace", "extend"):
            raise EchoAugmentError(f'mode must be "replace" or "extend", got {mode!r}')
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise EchoAugmentError(f"seed must be a whole number >= 0, got {seed!r}")
        if mode == "extend" and not isinstance(p, Mapping | float | int | np.number):
            raise EchoAugmentError(
                'p must be a number or EF bins with mode="extend": the length cannot change with the epoch',
                'Use mode="replace" for a schedule',
            )
        self.p, self.mode, self.seed, self.length = p, mode, int(seed), len(base)
        bins, binned = list(share_at(p, 0)), isinstance(p, Mapping)
        self._items = members(base_ef(base, ef) if binned else np.zeros(len(base)), bins)
        self._clips = members(np.asarray(source.ef, np.float64) if binned else np.zeros(len(source)), bins)
        self._last: tuple[int, EpochMix] | None = None
        self.total = len(self.at(0).clip)

    def at(self, epoch: int) -> EpochMix:
        """The decisions for ``epoch``; the last ones are kept.

        Raises:
            EchoAugmentError: the epoch's share is none, or a bin that needs clips has none.
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

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}
