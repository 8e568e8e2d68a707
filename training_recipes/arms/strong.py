"""Arms of the strongest that labelled videos alone give: strong classical augmentation, and C-mixup on top of it."""

from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from echo_augment.augmentor import ClassicalAugment
from echo_augment.augmentor.adapters import base_ef
from echo_augment.augmentor.mixing import item_rng
from echo_augment.augmentor.wrapping import pass_epoch
from echo_augment.cache.arguments import check_number, check_share
from echo_augment.cache.errors import EchoAugmentError

from .specification import TrainingSet, augmented

MIXUP = 107  # tag that keeps this random stream apart


def classical_strong(given: TrainingSet, *, p: float = 1.0, amount: float = 1.0) -> Any:
    """Return real clips, a share ``p`` of them changed by ``ClassicalAugment(strength="strong")``.

    Args:
        given: the labelled clips.
        p: share of items that are changed.
        amount: share of the ranges of the affine family, light and tempo, in [0, 1].
    """
    return ClassicalAugment(given.real, strength="strong", amount=amount, p=p, seed=given.seed)


def mixup(
    given: TrainingSet,
    *,
    p: float = 1.0,
    bandwidth: float = 5.0,
    alpha: float = 2.0,
    classical_p: float = 1.0,
    classical_strength: str = "strong",
    classical_amount: float = 1.0,
) -> Any:
    """Return real clips, classically augmented, a share ``p`` of them mixed with one of about the same EF.

    C-Mixup for regression (Yao et al., NeurIPS 2022, arXiv 2210.05775); see `MixedUp`.

    Args:
        given: the labelled clips.
        p: share of items that are mixed.
        bandwidth: EF points, the deviation of the kernel by which the partner is drawn.
        alpha: of the Beta distribution that the weight is drawn from.
        classical_p: share of items that `ClassicalAugment` changes before.
        classical_strength: ``mild`` or ``strong``.
        classical_amount: share of the ranges of ``strong``.

    Raises:
        EchoAugmentError: the clips have no single EF as their target, or a value is out of its range.
    """
    base = augmented(given.real, given, p=classical_p, strength=classical_strength, amount=classical_amount)
    return MixedUp(base, base_ef(given.real), bandwidth=bandwidth, alpha=alpha, p=p, seed=given.seed)


class MixedUp(Dataset[Any]):
    """A dataset of ``(clip, EF)`` whose items are weighted means of two, of clip and EF alike.

    The partner of an item is drawn with a chance of ``exp(-d ** 2 / (2 bandwidth ** 2))``, where ``d`` is the
    difference of the two EF, and never is the item itself; the weight is drawn from ``Beta(alpha, alpha)``. Both are a
    pure function of ``(seed, epoch, index)``.

    Args:
        base: the items.
        ef: their EF in percent, ``(len(base),)``.
        bandwidth: in EF points, positive.
        alpha: positive; small ones leave one of the two alone, mostly.
        p: share of items that are mixed, in [0, 1].
        seed: at least 0.

    Raises:
        EchoAugmentError: a value out of its range, or an item without an EF.
    """

    def __init__(
        self,
        base: Any,
        ef: npt.ArrayLike,
        *,
        bandwidth: float = 5.0,
        alpha: float = 2.0,
        p: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.base, self.ef, self.seed, self.epoch = base, np.asarray(ef, np.float64), seed, 0
        if self.ef.shape != (len(base),) or not np.isfinite(self.ef).all():
            raise EchoAugmentError(f"mixup needs the EF of each of its {len(base)} items", "Leave out those without")
        self.bandwidth = check_number("bandwidth", bandwidth, 0, above_low=True, unit="EF points")
        self.alpha, self.p = check_number("alpha", alpha, 0, above_low=True), check_share("p", p)

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int) -> Any:
        own = self.base[index]
        partner, weight = self.choose(index)
        if partner < 0:
            return own
        other = self.base[partner]
        if len(own) != 2 or np.ndim(own[1]):
            raise EchoAugmentError(
                "mixup mixes a clip and its EF, and these items are something else", "Leave the arm out of this task"
            )
        share = np.float32(weight)
        return share * own[0] + (1 - share) * other[0], np.float32(share * own[1] + (1 - share) * other[1])

    __getitem__.echo_samples = True  # type: ignore[attr-defined]  # a clip and its EF, as those of the base

    def choose(self, index: int) -> tuple[int, float]:
        """Return the partner of an item and the item's own weight; -1 and 1 for none."""
        rng = item_rng(self.seed, self.epoch, index, MIXUP)
        if len(self) < 2 or rng.random() >= self.p:
            return -1, 1.0
        near = np.square((self.ef - self.ef[index]) / self.bandwidth) / 2
        near[index] = np.inf
        chance = np.exp(near.min() - near)  # the nearest gets 1: none of them underflows
        partner = int(rng.choice(len(chance), p=chance / chance.sum()))
        return partner, float(rng.beta(self.alpha, self.alpha))

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, also of the dataset below."""
        self.epoch = epoch
        pass_epoch(self.base, epoch)
