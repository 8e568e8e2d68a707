"""Arms with clips of a cache: the same clips again and again, or some of them fresh."""

import warnings
from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor import CachedClips, SyntheticAugment
from echo_augment.augmentor.mcdm.labels import POLICIES, LabelPolicy
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError

from .chosen_clips import ClipsOfMotionDonors
from .specification import TEACHER, TrainingSet, augmented


def synthetic(
    given: TrainingSet,
    *,
    clips: str = "synthetic",
    p: float = 0.5,
    p_by_ef: Mapping[str, float] | None = None,
    mode: Literal["replace", "extend"] = "replace",
    classical_p: float = 0.0,
    classical_strength: str = "mild",
    classical_amount: float = 1.0,
    most: int | None = None,
    label: str = "donor",
    teacher: str = TEACHER,
    tolerance: float = 10.0,
    fresh: float = 0.0,
    stock: int | None = None,
    reuse: float = 4.0,
    exclude: str | None = None,
) -> Any:
    """Return real clips, of which a share is replaced by clips of a cache, through `SyntheticAugment`.

    Only clips whose motion donor is a labelled video of this run are used: the others carry labels it must not know.

    Args:
        given: the labelled clips and the caches.
        clips: kind of clips: one of `echo_augment.training_recipes.arms.CLIP_KINDS`.
        p: share of synthetic items in every epoch.
        p_by_ef: the same by EF bin in percent, ``{"0-40": 0.8, "40-100": 0.4}``, instead of ``p``: items of a bin get
            clips of the same bin.
        mode: ``replace`` some real items, or ``extend``: keep all, and add clips until they make up ``p``; with EF bins
            that makes rare EF more frequent.
        classical_p: share of all items, real and synthetic, that `ClassicalAugment` transforms on top.
        classical_strength: ``mild`` or ``strong``.
        classical_amount: share of the ranges of ``strong``.
        most: clips of the cache to use at most; None for all that the run may know.
        label: ``donor``; ``teacher`` or ``consensus``, by `echo_augment.augmentor.mcdm.labels`; or ``shuffled`` for the
            control whose labels say nothing.
        teacher: name of the arm whose net of the same labels and seed reads the clips, if ``label`` needs one.
        tolerance: difference in EF points beyond which ``consensus`` leaves a clip out; the confidence of both policies
            is 0.61 there.
        fresh: share of synthetic items whose clip comes fresh instead of from the ``stock``; see `RenewedClips`.
        stock: clips of the cache that are served again and again, the first ones; None for all. The others come fresh.
        reuse: items that get the same fresh clip, on average.
        exclude: file with the ids of clips to leave out, see `CachedClips`.

    Raises:
        EchoAugmentError: no such cache was given, an unknown ``label``, one without its teacher, a fresh share
            without a ``stock``, or with EF bins, or bins that are none.
    """
    if clips not in given.caches:
        raise EchoAugmentError(
            f"the arm needs a cache of {clips} clips, which was not given",
            f"Fill one (echo-augment fill-cache) and give +caches.{clips}=FOLDER, or run echo-augment benchmark",
        )
    source: Any = ClipsOfMotionDonors(
        CachedClips(given.caches[clips], exclude=exclude),
        given.labelled,
        most=most,
        shuffle=given.seed if label == "shuffled" else None,
        policy=_policy(label, given, teacher, tolerance),
        all_known=given.all_known,
    )
    if p_by_ef is not None and stock is not None:
        raise EchoAugmentError(f"p_by_ef={dict(p_by_ef)} and stock={stock} do not go together", "Leave one of them out")
    if stock is not None:
        source = RenewedClips(source, fresh=fresh, stock=stock, reuse=reuse, items=len(given.real), p=p)
    elif fresh:
        raise EchoAugmentError(
            f"fresh={fresh} needs a stock of clips that are not fresh", "Give arm.synthetic.stock=NUMBER"
        )
    share = p if p_by_ef is None else filled_bins(ef_bins(p_by_ef), source.ef)
    mixed = SyntheticAugment(given.real, source, p=share, mode=mode, seed=given.seed, donors="table")
    return augmented(mixed, given, p=classical_p, strength=classical_strength, amount=classical_amount)


def ef_bins(shares: Mapping[str, float]) -> dict[tuple[float, float], float]:
    """Return shares by EF bin as `SyntheticAugment` takes them.

    Args:
        shares: ``{"0-40": 0.8}``: from 0 to less than 40 percent.

    Raises:
        EchoAugmentError: a bin that is not two numbers.

    >>> ef_bins({"0-40": 0.8, "40-100": 0.4})
    {(0.0, 40.0): 0.8, (40.0, 100.0): 0.4}
    """
    found = {}
    for name, share in shares.items():
        try:
            low, high = (float(end) for end in str(name).split("-"))
        except ValueError as error:
            raise EchoAugmentError(f"p_by_ef has the EF bin {name!r}", 'Write it as "0-40", in percent') from error
        found[low, high] = float(share)
    return found


def _policy(label: str, given: TrainingSet, teacher: str, tolerance: float) -> LabelPolicy | None:
    if label in ("donor", "shuffled"):
        return None
    if label not in POLICIES:
        raise EchoAugmentError(f"label must be one of {', '.join(POLICIES)} or shuffled, got {label!r}")
    return LabelPolicy(label, teacher=given.reader(teacher), tolerance=tolerance)


def filled_bins(
    shares: Mapping[tuple[float, float], float], ef: npt.NDArray[np.float64]
) -> dict[tuple[float, float], float]:
    """Return shares by EF bin, 0 for a bin that no clip's EF ``(N,)`` lies in, with a warning that names it."""
    found = dict(shares)
    for low, high in shares:
        if found[low, high] > 0 and not ((ef >= low) & (ef < high)).any():
            found[low, high] = 0.0
            text = f"no clip has an EF of {low:g} to {high:g} percent: real items of this bin stay alone"
            warnings.warn(text, stacklevel=2)
    return found


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
        """Fingerprint of the generator that made the clips."""
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
        """Return a fresh or a cached clip, and how it is counted; ``key`` is seed, epoch and index of the item."""
        if np.random.default_rng([FRESH, *key]).random() >= self.fresh:
            return self[index], "cached"
        turn = int((key[1] * self._items + key[2]) * self._pace)
        return self[self.stock + turn % (len(self.source) - self.stock)], "fresh"
