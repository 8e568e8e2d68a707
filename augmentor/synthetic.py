"""`SyntheticAugment`: the dataset wrapper that mixes synthetic clips into a training set."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, get_worker_info

from echo_augment.cache.arguments import check_choice, check_whole
from echo_augment.cache.errors import EchoAugmentError

from .adapters import Adapter, adapters_for, base_ef
from .data.splits import SplitChoice
from .devices import explain_device_error, refuse_device_tensors
from .leakage import refuse_held_out, refuse_leaking_donors
from .mixing import Mixer, Share, item_rng
from .sample_check import SampleCheck
from .sources.source import ClipSource, Take
from .tempo import item_at_tempo
from .workers import RepeatedItems, ServedCounts, SharedEpoch
from .wrapping import describe, locate, pass_epoch, tagged

WAITING = 4  # samples of one kind that are kept until there is one of the other
EVALUATED = (
    "SyntheticAugment: a synthetic item was made without gradients. If this is an evaluation, its score is not of real "
    "clips only: evaluate on real_only(), and split a dataset before it is wrapped"
)


class SyntheticAugment(Dataset[Any]):
    """A dataset with synthetic clips mixed in, each in exactly the form of the dataset's own samples.

    ``SyntheticAugment(base, source, p=0.5)[i]`` is ``base[i]``, or a clip of ``source`` with the same structure,
    dtypes, shapes and normalisation.

    **Mixing.** ``p`` is the share of synthetic items in an epoch, met within one item: a number; a sequence with a
    number for each epoch, of which the last one goes on; a callable ``epoch -> number`` (at module level, so that it
    pickles); or a mapping from EF bins in percent to numbers, ``{(0, 40): 0.7, (40, 100): 0.3}``, where items of a bin
    get clips of the same bin. ``mode="replace"`` keeps the length. ``mode="extend"`` keeps every real item and appends
    synthetic ones until they make up ``p`` (so ``p=0.5`` doubles the length). In an epoch no clip is served twice
    before all have been served once.

    **Repeatability.** Which items are synthetic, their clips, and the clips' windows are a pure function of
    ``(seed, epoch, index)``: the same for any number of workers, ``fork``, ``forkserver`` or ``spawn``, persistent or
    not. Call ``set_epoch(epoch)`` before each epoch; it reaches running workers, and the ``set_epoch`` of the wrapped
    dataset. No global random state is read or advanced. ``state_dict`` is a few numbers.

    **Samplers and splits.** The base's labels are not those of the synthetic items: make weights for a sampler from
    `weights`. Split before you wrap, and evaluate on `real_only`; a ``random_split`` of the wrapper has synthetic items
    in both parts::

        part, val = random_split(base, [0.9, 0.1])
        train = SyntheticAugment(part, source)
        for epoch in range(45):
            train.set_epoch(epoch)
            low = train.weights() < 40
            sampler = WeightedRandomSampler(np.where(low, 1 / low.mean(), 1.0), len(train))

    **Form.** ``echonet.datasets.Echo``, `echo_augment.augmentor.data.EchoNetDynamic` and any ``Subset``,
    ``ConcatDataset`` or `ClassicalAugment` of them work as they are. For other datasets give ``adapter=``, a callable
    that makes a sample from an `echo_augment.cache.EchoClip` and a NumPy generator::

        def to_sample(clip, rng):  # at module level, so that it pickles
            video = VideoFormat(length=32, period=2, fps=50, mean=32.7, std=49.9)(clip, rng)
            return {"video": torch.from_numpy(video), "ef": torch.tensor(clip.ef, dtype=torch.float32)}


        train = SyntheticAugment(my_dataset, CachedClips("cache/dynamic"), adapter=to_sample)

    A subclass of Echo with a ``__getitem__`` of its own, or another wrapper, may change samples, so it needs
    ``adapter=``, too; or the mark ``__getitem__.echo_samples = True``, if its samples stay Echo's.

    The first four synthetic samples of each process are compared with the first four real ones, in form and in the
    range of numbers and grey levels; a difference is an error that names it. If samples differ in shape by design, set
    ``to_sample.fixed_shape = False``.

    Not for evaluation: a VAL or TEST split is refused, and so is a source whose donors are VAL or TEST videos of
    ``base``, or other videos of its table outside ``base``; by name or, if their files are known, by content.

    Args:
        base: map-style dataset to augment.
        source: source of the synthetic clips, for instance ``CachedClips(folder)``.
        p: share of synthetic items, in [0, 1]; see above.
        mode: ``"replace"`` or ``"extend"``.
        seed: seed of all decisions, at least 0.
        adapter: ``(clip, rng) -> sample``; None finds one for ``base``.
        fps: frame rate of ``base``'s videos in 1/s; None takes the median of its first files, else of
            its ``FPS`` column, else 50.
        ef: EF in percent of every base item, ``(len(base),)``; needed for EF bins if ``base`` does not know it.
        weights: append a float32 weight to each sample: the clip's label confidence, and 1 for a real item and for a
            clip with its donor's label (``fill-cache label.policy=teacher`` or ``consensus`` gives others). Multiply
            the loss of the item with it. Tuples grow by one, dicts get the key ``"weight"``.
        provenance: append a dict (``synthetic``, ``clip_id``, ``motion_donor``, ``appearance_donor``, ``confidence``),
            after the weight; dicts get the key ``"provenance"``.
        held_out: splits or folds that must stay unseen beside VAL and TEST, as `EchoNetDynamic` takes them; a value
            that is no split of the table is an error. In a table with fold numbers VAL and TEST are folds 8 and 9,
            unless folds are named here: then those alone, so that each of ten folds can be the one left out
            (``held_out=3``). Donors in folds that ``base`` does not serve stay refused (``donors``).
        donors: ``"subset"`` refuses clips whose donors are rows of ``base``'s table that ``base`` does not serve, as
            the validation fold of a ``Subset`` is; ``"table"`` takes all but the held-out ones.

    Raises:
        EchoAugmentError: a value out of its range, an empty source or base, a held-out split, a donor that is a
            held-out video, a target without an honest synthetic value, an EF bin without clips; from ``[i]`` in a
            DataLoader worker, a base, source or adapter that touches CUDA there.

    Example:
        >>> from echo_augment.augmentor import InMemoryClips
        >>> from echo_augment.cache import EchoClip
        >>> base = [(np.zeros((1, 4, 8, 8), np.float32), 55.0) for _ in range(10)]
        >>> source = InMemoryClips([EchoClip("a", np.zeros((4, 8, 8), np.uint8), fps=25, ef=30.0)])
        >>> def to_sample(clip, rng):
        ...     return clip.frames[None].astype(np.float32), clip.ef
        >>> train = SyntheticAugment(base, source, p=0.3, adapter=to_sample)
        >>> len(train), sum(ef == 30 for _, ef in train)
        (10, 3)
    """

    def __init__(
        self,
        base: Any,
        source: ClipSource,
        *,
        p: Share = 0.5,
        mode: Literal["replace", "extend"] = "replace",
        seed: int = 0,
        adapter: Adapter | None = None,
        fps: float | None = None,
        ef: npt.ArrayLike | None = None,
        weights: bool = False,
        provenance: bool = False,
        held_out: SplitChoice | None = None,
        donors: Literal["subset", "table"] = "subset",
    ) -> None:
        if len(base) == 0:
            raise EchoAugmentError("the dataset to augment is empty")
        self.base, self.source = base, source
        self.weighted, self.provenance = weights, provenance
        check_choice("donors", donors, ("subset", "table"))
        refuse_held_out(base, held_out)
        names: frozenset[str] = getattr(source, "donors", frozenset())
        refuse_leaking_donors(base, names, getattr(source, "donor_videos", None), held_out, donors)
        self._adapters = adapters_for(base, source, adapter, fps)
        self._mixer = Mixer(base, source, p=p, mode=mode, seed=seed, ef=ef)
        self._base_ef = None if ef is None else base_ef(base, ef)
        self._epoch, self._counts = SharedEpoch(), ServedCounts()
        self._repeats = RepeatedItems(self._mixer.total)
        self._synced = 0  # the epoch that this process has passed to the base
        self._check = SampleCheck(len(self._adapters))
        self._waiting: list[tuple[Any, bool, Adapter]] = []  # first samples of this process, until both kinds are there

    def __len__(self) -> int:
        return self._mixer.total

    def __getitem__(self, index: int) -> Any:
        return self.at_tempo(index, 1.0)[0]

    __getitem__.echo_samples = True  # type: ignore[attr-defined]  # if those of the base are Echo's

    def at_tempo(self, index: int, tempo: float) -> tuple[Any, bool]:
        """Return item ``index``, a real one at another tempo, and whether it is at one.

        Synthetic clips have tempos of their own already, and come as they are.
        """
        place = int(index)
        if not -self._mixer.total <= place < self._mixer.total:
            raise IndexError(f"item {place} of {self._mixer.total}")
        place %= self._mixer.total
        epoch = self._epoch.get()
        if epoch != self._synced:
            pass_epoch(self.base, epoch)
            self._synced = epoch
        self._repeats.see(place, type(self).__name__)
        mix, key = self._mixer.at(epoch), (self._mixer.seed, epoch, place)
        number, position = int(mix.clip[place]), int(mix.base[place])
        take: Take | None = getattr(self.source, "take", None)
        try:
            clip, kind = None, "real"
            if number >= 0:
                clip, kind = take(number, key) if take is not None else (self.source[number], "cached")
            if clip is not None:
                sample, varied = self._adapter_of(position)(clip, item_rng(*key)), True
            else:
                sample, varied = item_at_tempo(self.base, position, tempo)
        except RuntimeError as error:
            explain_device_error(error)
            raise
        if clip is not None and not torch.is_grad_enabled() and self._repeats.first():
            warnings.warn(EVALUATED, stacklevel=3)
        if not self._check.done:
            self._compare(sample, clip is not None, position)
        self._counts.add(kind, epoch)
        if self.weighted or self.provenance:
            weight = None if not self.weighted else np.float32(1 if clip is None else clip.confidence)
            sample = tagged(sample, weight, describe(clip) if self.provenance else None)
        return sample, varied

    def _adapter_of(self, position: int) -> Adapter:
        if len(self._adapters) == 1:
            return self._adapters[0][1]
        leaf, _ = locate(self.base, position, known=True)
        return next(adapter for owner, adapter in self._adapters if owner is leaf)

    def _compare(self, sample: Any, made: bool, position: int) -> None:
        waiting = self._waiting
        if len(waiting) == WAITING and waiting[0][1] is made:
            return
        if get_worker_info() is not None:
            refuse_device_tensors(sample)
        waiting.append((sample, made, self._adapter_of(position)))
        if self._check.begun or waiting[0][1] is not made:
            for first in waiting:
                self._check.add(*first)
            waiting.clear()

    def set_epoch(self, epoch: int) -> None:
        """Start ``epoch``: new decisions in every process, running workers included; a new epoch counts from zero.

        Raises:
            EchoAugmentError: ``epoch`` is no whole number of at least 0, or its share in the schedule is out of range.
        """
        number = check_whole("epoch", epoch)
        self._mixer.at(number)
        self._repeats.off()
        if number != self._epoch.get():
            self._counts.clear()
        self._epoch.set(number)
        pass_epoch(self.base, number)
        self._synced = number

    @property
    def epoch(self) -> int:
        """The current epoch."""
        return self._epoch.get()

    def stats(self) -> dict[str, int]:
        """Return the epoch, and the ``real``, ``cached``, ``fresh`` and ``fallback`` items of all processes in it."""
        return {"epoch": self.epoch, **self._counts.total(self.epoch)}

    def is_synthetic(self, index: int) -> bool:
        """Return whether item ``index`` is synthetic in the current epoch; loads nothing."""
        return bool(self._mixer.at(self.epoch).clip[index] >= 0)

    def base_index(self, index: int) -> int:
        """Return the number of the base item that item ``index`` is, or whose form it takes."""
        return int(self._mixer.at(self.epoch).base[index])

    def weights(self) -> npt.NDArray[np.float64]:
        """Return the EF in percent of what each item is in the current epoch, ``(len(self),)``; NaN where unknown.

        Weights for a ``WeightedRandomSampler`` are made from these, anew in each epoch, not from the base's labels:
        those say nothing of the synthetic items. The EF of a clip that a live source has yet to make is unknown; with
        `MixedClips` only items that ask for such a clip are NaN. docs/how-to/samplers-and-splits.md has the loop.
        """
        mix = self._mixer.at(self.epoch)
        if self._base_ef is None:
            try:
                self._base_ef = base_ef(self.base)
            except EchoAugmentError:
                self._base_ef = np.full(len(self.base), np.nan)
        found = self._base_ef[mix.base]
        clips = np.asarray(self.source.ef, np.float64)
        made = mix.clip >= 0
        known = made & (mix.clip < len(clips))
        if (wants_fresh := getattr(self.source, "wants_fresh", None)) is not None:
            for place in np.flatnonzero(known):
                known[place] = not wants_fresh((self._mixer.seed, self.epoch, int(place)))
        elif hasattr(self.source, "take"):
            known[:] = False
        found[made] = np.nan
        found[known] = clips[mix.clip[known]]
        return found

    def real_only(self) -> Any:
        """Return the dataset without synthetic items, for evaluation: item i is real item i in every epoch.

        ``Subset(train.real_only(), val.indices)`` evaluates a part that ``random_split`` made of the wrapper with
        ``mode="replace"``; better, split first and wrap only the training part.
        """
        inner = self.base
        return inner.real_only() if isinstance(inner, SyntheticAugment) else inner

    def state_dict(self) -> dict[str, int | str]:
        """Return what a resumed run needs to go on identically; ``torchdata``'s StatefulDataLoader calls it."""
        return {"epoch": self.epoch, **self._identity()}

    def load_state_dict(self, state: Mapping[str, int | str]) -> None:
        """Continue from ``state_dict``.

        Raises:
            EchoAugmentError: the state is of another seed, mode, dataset length or source.
        """
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise EchoAugmentError(
                    f"the saved state has {name}={state.get(name)!r}, this SyntheticAugment has {value!r}",
                    "Resume with the dataset, source and arguments the state was saved with",
                )
        self.set_epoch(check_whole("epoch", state["epoch"]))

    def _identity(self) -> dict[str, int | str]:
        return {
            "seed": self._mixer.seed,
            "mode": self._mixer.mode,
            "length": self._mixer.total,
            "clips": len(self.source),
            "fingerprint": str(getattr(self.source, "fingerprint", "")),
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_check": SampleCheck(len(self._adapters)), "_waiting": []}

    def __repr__(self) -> str:
        parts = [f"{type(part).__name__} of {len(part)}" for part in (self.base, self.source)]
        mixer = self._mixer
        return f"SyntheticAugment({', '.join(parts)}, p={mixer.p!r}, mode={mixer.mode!r}, seed={mixer.seed})"
