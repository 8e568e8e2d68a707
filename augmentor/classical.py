"""Classical augmentation of whole clips: one transform for all frames, masks moved along."""

import os
import random
from typing import Any, Literal

import numpy as np
from torch.utils.data import Dataset

from echo_augment.cache.arguments import check_choice, check_seed, check_share
from echo_augment.cache.errors import EchoAugmentError

from .adapters import changed_by, makes_echo_samples
from .affine import AffineFamily
from .image_fields import ImageFields
from .mixing import item_rng
from .tempo import TEMPO, item_at_tempo, slowed
from .workers import RepeatedItems, SharedEpoch
from .wrapping import leaves, locate, pass_epoch

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else importing it asks the package index for news

from echo_augment.cache.system.extras import needs

from .steps import check_images, check_steps

with needs("recipes"):
    import albumentations as A

CLASSICAL = 0x434C  # tag of this random stream
STRENGTHS = ("mild", "strong")


def ef_preserving() -> A.Compose:
    """Return the default transform: small shift, scale and rotation; gain, gamma, speckle-like noise, blur.

    EF is a ratio of volumes, so moving, turning and evenly scaling the image keeps it; so do changes of grey level.
    Black stays black, as it is outside the sector (gain, gamma and noise multiply). No flip: an apical view has a left
    and a right, and no patient is mirrored. No cropping, shearing, elastic or temporal change: these change the
    ventricle or may cut it off.
    """
    return A.Compose(
        [
            A.Affine(scale=(0.9, 1.1), translate_percent=(-0.06, 0.06), rotate=(-10, 10), keep_ratio=True, p=0.8),
            A.RandomBrightnessContrast(brightness_limit=0, contrast_limit=0.25, p=0.5),
            A.RandomGamma(gamma_limit=(80, 125), p=0.5),
            A.MultiplicativeNoise(multiplier=(0.9, 1.1), elementwise=True, p=0.3),
            A.GaussianBlur(blur_limit=0, sigma_limit=(0.3, 0.8), p=0.2),
        ]
    )


class ClassicalAugment(Dataset[Any]):
    """A dataset whose videos are shifted, turned, scaled, brightened, ..., in the form they had.

    One transform is drawn for each item and applied to all frames of its video, to frame targets and to trace masks. It
    is drawn from ``(seed, epoch, index)`` alone: albumentations by itself repeats its draws in every worker
    (AlbumentationsX#266). The normalisation is undone first and redone after, so what moves in from outside the image
    is black, not the mean grey.

    Composes with `SyntheticAugment`: ``ClassicalAugment(SyntheticAugment(base, source))`` transforms real and synthetic
    items, ``SyntheticAugment(ClassicalAugment(base), source)`` the real ones only.

    ``strength="strong"`` changes as much as the generator's training does, in the same affine family and light
    (`echo_augment.augmentor.affine`, which says what of it keeps EF), and the tempo: the beat goes 0.9 to 1.1 times as
    fast. `EchoNetDynamic` reads its videos so; of other datasets the item's own frames are slowed, but not made faster,
    since that needs more frames than they have; synthetic clips come with tempos of their own.

    Args:
        base: ``echonet.datasets.Echo``, `EchoNetDynamic`, any ``Subset``, ``ConcatDataset`` or `SyntheticAugment` of
            them, or another dataset with ``fields``.
        transform: albumentations transform; None takes that of ``strength``. It gets images as float32 in [0, 1] and
            must give the same. Each of its steps is tried once here, on a grey image of 112 x 112 pixels.
        strength: ``"mild"`` for `ef_preserving`, or ``"strong"``.
        amount: share of the ranges of ``"strong"``, in [0, 1].
        p: chance that an item is transformed, in [0, 1].
        seed: seed of all draws, at least 0.
        fields: where a sample's images are; None finds them in an Echo-like ``base``.

    Raises:
        EchoAugmentError: a value out of its range; ``strength`` or ``amount`` beside a ``transform``; a dataset whose
            samples are not known to be Echo's and no ``fields``; a step of ``transform`` that leaves [0, 1]
            (`A.Normalize`), changes the shape or fails.

    Example:
        A dataset of dicts, its video ``(C, T, H, W)`` in [0, 1]:

        >>> base = [{"video": np.ones((1, 4, 32, 32), np.float32), "ef": 55.0}]
        >>> train = ClassicalAugment(base, fields=ImageFields(video="video", std=255))
        >>> train[0]["video"].shape, train[0]["ef"]
        ((1, 4, 32, 32), 55.0)
    """

    def __init__(
        self,
        base: Any,
        *,
        transform: A.BasicTransform | A.BaseCompose | None = None,
        strength: Literal["mild", "strong"] = "mild",
        amount: float = 1.0,
        p: float = 1.0,
        seed: int = 0,
        fields: ImageFields | None = None,
    ) -> None:
        self.base, self.p, self.seed = base, check_share("p", p), check_seed(seed)
        check_choice("strength", strength, STRENGTHS)
        self.strength, self.amount = strength, check_share("amount", amount)
        if (strength == "mild" and amount != 1) or (transform is not None and strength != "mild"):
            raise EchoAugmentError(
                f'amount={amount:g} and strength={strength!r} go with strength="strong" and no transform',
                "Leave one of them out",
            )
        self.transform: A.Compose | AffineFamily = AffineFamily(amount)
        if strength == "mild":
            given = transform if transform is not None else ef_preserving()
            self.transform = given if isinstance(given, A.Compose) else A.Compose([given])
        self._fields = (
            [(base, fields)] if fields is not None else [(leaf, _fields_of(leaf)) for leaf in leaves(base, known=True)]
        )
        if strength == "mild":
            check_steps(self.transform, lambda: self._fields_at(0).unpack(self.base[0])[0].shape)
        self._epoch, self._repeats = SharedEpoch(), RepeatedItems(len(base))
        self._synced = 0  # the epoch that this process has passed to the base

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int) -> Any:
        return self.at_tempo(index, 1.0)[0]

    __getitem__.echo_samples = True  # type: ignore[attr-defined]  # if those of the base are Echo's

    def at_tempo(self, index: int, tempo: float) -> tuple[Any, bool]:
        """Return item ``index`` read at another tempo, and whether it could be; its own changes come on top."""
        place = int(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"item {place} of {len(self)}")
        place %= len(self)
        epoch = self._epoch.get()
        if epoch != self._synced:
            pass_epoch(self.base, epoch)
            self._synced = epoch
        self._repeats.see(place, type(self).__name__)
        rng = item_rng(self.seed, epoch, place, CLASSICAL)
        changes = rng.random() < self.p
        if not changes or self.strength == "mild":
            sample, read = item_at_tempo(self.base, place, tempo)
            return self._apply(sample, place, rng) if changes else sample, read
        own, start = self._tempo(rng), float(rng.random())
        sample, read = item_at_tempo(self.base, place, tempo * own)
        if not read:
            fields = self._fields_at(place)
            sample = fields.resampled(sample, slowed(fields.count(sample), tempo * own, start))
        return self._apply(sample, place, rng), True

    def _tempo(self, rng: np.random.Generator) -> float:
        """Draw a tempo: the range as far as ``amount`` goes."""
        low, high = (1 + self.amount * (end - 1) for end in TEMPO)
        return float(rng.uniform(low, high))

    def _apply(self, sample: Any, place: int, rng: np.random.Generator) -> Any:
        fields = self._fields_at(place)
        images, masks = fields.unpack(sample)
        # One state for all steps: Compose.set_random_seed would give every step the same draws.
        self.transform.set_random_state(rng, random.Random(int(rng.integers(2**63))))
        data = {"images": images} if masks is None else {"images": images, "masks": masks}
        done = self.transform(**data)
        check_images(images, done["images"], "the transform")
        return fields.pack(sample, np.clip(done["images"], 0, 1, dtype=np.float32), done.get("masks"))

    def _fields_at(self, place: int) -> ImageFields:
        if len(self._fields) == 1:
            return self._fields[0][1]
        leaf, _ = locate(self.base, place, known=True)
        return next(fields for owner, fields in self._fields if owner is leaf)

    def set_epoch(self, epoch: int) -> None:
        """Start ``epoch``: new draws in every process, running workers included; passed on to ``base``.

        Raises:
            EchoAugmentError: ``epoch`` is no whole number of at least 0.
        """
        self._epoch.set(epoch)
        self._repeats.off()
        self._synced = self._epoch.get()
        pass_epoch(self.base, self._synced)

    @property
    def epoch(self) -> int:
        """The current epoch."""
        return self._epoch.get()


def _fields_of(leaf: Any) -> ImageFields:
    if makes_echo_samples(leaf):
        return ImageFields.of(leaf)
    raise EchoAugmentError(
        f"ClassicalAugment does not know where the images of a {type(leaf).__name__} sample are{changed_by(leaf)}",
        "Give it fields=ImageFields(video=..., masks=[...], mean=..., std=...)",
    )
