"""Unlabelled real clips mixed into the labelled ones, with labels that a teacher read, or with none."""

from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from echo_augment.augmentor.mixing import Mixer, check_share
from echo_augment.augmentor.wrapping import pass_epoch

UNLABELLED = 103  # tag that keeps this random stream apart from that of `SyntheticAugment`


class WithUnlabelled(Dataset[Any]):
    """A dataset of ``(clip, EF)`` of which a share of the items is replaced by clips of unlabelled hearts.

    Which items, and which hearts they show, is a pure function of ``(seed, epoch, index)``. `SyntheticAugment` can be
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
        self._mixer = Mixer(base, unlabelled, p=check_share(p), mode="replace", seed=stream)
        self._epoch = 0

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int) -> Any:
        number = int(self._mixer.at(self._epoch).clip[index])
        if number < 0:
            return self.base[index]
        return self.unlabelled[number][0], self.ef[number]

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, also of the datasets below."""
        self._epoch = epoch
        pass_epoch(self.base, epoch)
        pass_epoch(self.unlabelled, epoch)
