"""Compare the first synthetic samples with the dataset's own: form, range of numbers, level and contrast of images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from echo_augment.cache.errors import EchoAugmentError

from .adapters import Adapter
from .wrapping import difference

FEW = 4  # samples of each kind whose values are looked at
NUMBERS = 8.0  # real numbers are this many times larger or smaller: another unit
CONTRAST = 4.0  # likewise, the standard deviation of images
SHIFT = 1.5  # difference of the means of images, in standard deviations
DOUBT = 2.5  # factor on all of these until there are `FEW` samples of each kind


@dataclass(frozen=True, slots=True)
class Values:
    """Figures of one place in a sample: mean, or mean magnitude of a number; standard deviation, 0 for a number."""

    mean: float
    std: float
    image: bool


def values_of(sample: Any, where: str = "sample") -> Iterator[tuple[str, Values]]:
    """Yield the name and figures of each number (real, not whole) and each image or video in a sample."""
    if isinstance(sample, Mapping):
        for key, part in sample.items():
            yield from values_of(part, f"{where}[{key!r}]")
    elif isinstance(sample, tuple | list):
        for place, part in enumerate(sample):
            yield from values_of(part, f"{where}[{place}]")
    elif isinstance(sample, float | np.floating | np.ndarray | torch.Tensor):
        array = _array(sample)
        if array is None or not array.size or not np.isfinite(array).all():
            return
        if array.ndim >= 3:
            yield where, Values(float(array.mean(dtype=np.float64)), float(array.std(dtype=np.float64)), True)
        elif array.ndim <= 1 and array.dtype.kind == "f":
            yield where, Values(float(np.abs(array).mean(dtype=np.float64)), 0.0, False)


def _array(value: Any) -> npt.NDArray[Any] | None:
    if isinstance(value, torch.Tensor):
        if value.device.type != "cpu":
            return None
        value = value.detach().float() if value.dtype == torch.bfloat16 else value.detach()
        value = value.numpy()
    array = np.asarray(value)
    return array if array.dtype.kind in "fiu" else None


@dataclass(slots=True)
class Pair:
    """What has been seen of one adapter: the first sample of each kind until they are compared, and their figures."""

    first: dict[bool, Any] = field(default_factory=dict)
    formed: bool = False
    seen: dict[bool, list[dict[str, Values]]] = field(default_factory=lambda: {False: [], True: []})

    @property
    def done(self) -> bool:
        """Whether enough samples of both kinds were compared."""
        return self.formed and min(map(len, self.seen.values())) >= FEW


class SampleCheck:
    """Raises at the first synthetic sample that does not look like the dataset's own.

    Args:
        adapters: how many adapters there are; samples are compared adapter by adapter.
    """

    def __init__(self, adapters: int) -> None:
        self._pairs: dict[int, Pair] = {}
        self._adapters, self.begun, self.done = adapters, False, False

    def add(self, sample: Any, synthetic: bool, adapter: Adapter) -> None:
        """Look at one more sample.

        Args:
            sample: as the dataset or ``adapter`` made it.
            synthetic: which of the two.
            adapter: makes the synthetic samples of this kind; its ``fixed_shape`` says whether all have one shape.

        Raises:
            EchoAugmentError: form or values differ clearly; the message has both figures.
        """
        self.begun = True
        pair = self._pairs.setdefault(id(adapter), Pair())
        if not pair.formed:
            pair.first[synthetic] = sample
            if len(pair.first) == 2:
                shapes = getattr(adapter, "fixed_shape", True)
                _refuse(difference(pair.first[False], pair.first[True], shapes=shapes))
                pair.first.clear()
                pair.formed = True
        if len(pair.seen[synthetic]) < FEW:
            pair.seen[synthetic].append(dict(values_of(sample)))
            if pair.formed:
                _refuse(mismatch(pair.seen[False], pair.seen[True]))
        if pair.done:
            done = sum(one.done for one in self._pairs.values())
            self.done = done == self._adapters


def mismatch(real: list[dict[str, Values]], synthetic: list[dict[str, Values]]) -> str | None:
    """Return in words the first place whose values are of another range in synthetic samples; None if they agree."""
    doubt = 1.0 if min(len(real), len(synthetic)) >= FEW else DOUBT
    for where in real[0]:
        sides = [[sample[where] for sample in some if where in sample] for some in (real, synthetic)]
        if not all(sides) or sides[0][0].image is not sides[1][0].image:
            continue
        (mean, std), (other, spread) = (
            (float(np.mean([one.mean for one in side])), float(np.mean([one.std for one in side]))) for side in sides
        )
        if not sides[0][0].image:
            if mean > 0 < other and not 1 / (doubt * NUMBERS) <= mean / other <= doubt * NUMBERS:
                return f"{where} is about {mean:.3g} in the dataset and {other:.3g} from the adapter"
            continue
        if not std > 0 < spread:  # pictures of one grey tell nothing
            continue
        scaled = not 1 / (doubt * CONTRAST) <= std / spread <= doubt * CONTRAST
        if scaled or abs(mean - other) > doubt * SHIFT * max(std, spread):
            return (
                f"{where} has mean {mean:.3g} and deviation {std:.3g} in the dataset, "
                f"{other:.3g} and {spread:.3g} from the adapter"
            )
    return None


def _refuse(words: str | None) -> None:
    if words:
        raise EchoAugmentError(
            f"a synthetic sample does not look like the dataset's own: {words}",
            "Give SyntheticAugment an adapter= that makes the dataset's samples, or leave these clips out",
        )
