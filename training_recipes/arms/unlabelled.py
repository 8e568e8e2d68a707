"""Arms that learn from unlabelled real clips: with the EF that a teacher read from them, or with none."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from echo_augment.augmentor.mixing import Mixer
from echo_augment.augmentor.tempo import item_at_tempo
from echo_augment.augmentor.wrapping import pass_epoch
from echo_augment.cache.arguments import check_share
from echo_augment.cache.errors import EchoAugmentError

from .specification import TrainingSet, augmented
from .synthetic_clips import synthetic

UNLABELLED = 103  # tag that keeps this random stream apart from that of `SyntheticAugment`


class WithUnlabelled(Dataset[Any]):
    """A dataset of ``(clip, EF)`` of which a share of the items is replaced by clips of unlabelled videos.

    Which items, and which videos they show, is a pure function of ``(seed, epoch, index)``. `SyntheticAugment` can be
    laid over it; its choice is independent of this one.

    Args:
        base: the labelled clips.
        unlabelled: clips of the same form; the EF that they come with is never passed on.
        ef: ``(len(unlabelled),)`` EF in percent to give them instead; NaN says that there is none.
        p: share of unlabelled items in every epoch, in [0, 1].
        seed: at least 0.
    """

    def __init__(self, base: Any, unlabelled: Any, ef: npt.ArrayLike, *, p: float = 0.5, seed: int = 0) -> None:
        self.base, self.unlabelled = base, unlabelled
        self.ef = np.asarray(ef, np.float32)
        stream = int(np.random.default_rng([UNLABELLED, seed]).integers(2**31))
        self._mixer = Mixer(base, unlabelled, p=check_share("p", p), mode="replace", seed=stream)
        self._epoch = 0

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int) -> Any:
        return self.at_tempo(index, 1.0)[0]

    __getitem__.echo_samples = True  # type: ignore[attr-defined]  # a clip and its EF, as those of the base

    def at_tempo(self, index: int, tempo: float) -> tuple[Any, bool]:
        """Return item ``index`` at another tempo, and whether it could be read so."""
        number = int(self._mixer.at(self._epoch).clip[index])
        if number < 0:
            return item_at_tempo(self.base, index, tempo)
        sample, read = item_at_tempo(self.unlabelled, number, tempo)
        return (sample[0], self.ef[number]), read

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, also of the datasets below."""
        self._epoch = epoch
        pass_epoch(self.base, epoch)
        pass_epoch(self.unlabelled, epoch)


def count_unlabelled(given: TrainingSet) -> int:
    """Return the number of unlabelled videos.

    Raises:
        EchoAugmentError: the recipe has no unlabelled clips for an arm.
    """
    if given.unlabelled is None:
        raise EchoAugmentError(
            "this recipe has no unlabelled clips for an arm to learn from",
            "pseudo_label and mean_teacher are arms of the EF recipe; leave them out of arm=[..]",
        )
    return len(given.unlabelled)


def pseudo_label(
    given: TrainingSet,
    *,
    teacher: str = "real",
    p: float = 0.5,
    windows: int = 5,
    classical_p: float = 0.0,
    classical_strength: str = "mild",
    classical_amount: float = 1.0,
) -> Any:
    """Return labelled clips, of which a share is replaced by unlabelled ones with the EF that a teacher read from them.

    Lee, "Pseudo-Label" (ICML workshop 2013), for a regression. The fair opponent of a generator that sees unlabelled
    videos. With all labels there is nothing unlabelled, and only classical augmentation is left.

    Args:
        given: the clips and the teacher.
        teacher: name of the arm whose net of the same labels and seed is the teacher.
        p: share of unlabelled items in every epoch.
        windows: of each video that the teacher reads, evenly spaced.
        classical_p: share of all items that `ClassicalAugment` transforms on top; the teacher reads them as they are.
        classical_strength: ``mild`` or ``strong``.
        classical_amount: share of the ranges of ``strong``.
    """
    items = given.real
    if count_unlabelled(given):
        ef = given.teach(teacher, windows)
        items = WithUnlabelled(given.real, given.unlabelled, ef, p=p, seed=given.seed)
    return augmented(items, given, p=classical_p, strength=classical_strength, amount=classical_amount)


def mean_teacher(
    given: TrainingSet,
    *,
    p: float = 0.5,
    classical_p: float = 0.0,
    classical_strength: str = "mild",
    classical_amount: float = 1.0,
) -> Any:
    """Return labelled clips, of which a share ``p`` is replaced by unlabelled ones without any EF (NaN).

    For `echo_augment.training_recipes.ef.learners.MeanTeacher`, which asks nothing but agreement of those. The
    ``classical`` settings are those of `pseudo_label`: student and teacher see views of the changed clip.
    """
    items = given.real
    if count := count_unlabelled(given):
        items = WithUnlabelled(given.real, given.unlabelled, np.full(count, np.nan), p=p, seed=given.seed)
    return augmented(items, given, p=classical_p, strength=classical_strength, amount=classical_amount)


def synthetic_pseudo_label(
    given: TrainingSet,
    *,
    teacher: str = "synthetic",
    p: float = 1 / 3,
    unlabelled_p: float = 0.5,
    windows: int = 5,
    clips: str = "synthetic",
    classical_p: float = 0.0,
    classical_strength: str = "mild",
    classical_amount: float = 1.0,
) -> Any:
    """Return `pseudo_label` with a share ``p`` of items replaced by synthetic clips, ``unlabelled_p`` of the rest.

    ``classical`` settings are those of `pseudo_label`, for all items.
    """
    items = replace(given, real=pseudo_label(given, teacher=teacher, p=unlabelled_p, windows=windows))
    mixed = synthetic(items, clips=clips, p=p)
    return augmented(mixed, given, p=classical_p, strength=classical_strength, amount=classical_amount)


def synthetic_mean_teacher(
    given: TrainingSet,
    *,
    p: float = 1 / 3,
    unlabelled_p: float = 0.5,
    clips: str = "synthetic",
    classical_p: float = 0.0,
    classical_strength: str = "mild",
    classical_amount: float = 1.0,
) -> Any:
    """Return `mean_teacher` with a share ``p`` of items replaced by synthetic clips, ``unlabelled_p`` of the rest.

    ``classical`` settings are those of `pseudo_label`, for all items.
    """
    items = replace(given, real=mean_teacher(given, p=unlabelled_p))
    mixed = synthetic(items, clips=clips, p=p)
    return augmented(mixed, given, p=classical_p, strength=classical_strength, amount=classical_amount)
