"""Arms: what an EF model is trained on. Everything else is equal between them.

An arm is a file ``conf/arm/<name>.yaml`` that names one of the functions below (or your own, by ``_target_``). It is
called with a `TrainingSet` and returns the dataset to train on. ``labels: all`` in it gives the arm every label of
TRAIN.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import instantiate

from echo_augment.augmentor import CachedClips, ClassicalAugment, SyntheticAugment
from echo_augment.cache.errors import EchoAugmentError

from .chosen import ClipsOfMotionDonors

CLIP_KINDS = ("synthetic", "oracle")


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What an arm may use.

    Attributes:
        real: the labelled real clips, a dataset of ``(clip, EF)``.
        labelled: names of the labelled hearts, in the order of ``real``.
        caches: folder of the clips of a kind: ``synthetic`` from the generator, ``oracle`` exact counterfactuals.
        seed: of the training.
    """

    real: Any
    labelled: tuple[str, ...]
    caches: Mapping[str, Path]
    seed: int


Arm = Callable[[TrainingSet], Any]


def real(given: TrainingSet) -> Any:
    """The labelled real clips alone, with the recipe's own padding and random crop."""
    return given.real


def classical(given: TrainingSet, *, p: float = 1.0) -> Any:
    """Real clips, a share ``p`` of them transformed by `ClassicalAugment`."""
    return ClassicalAugment(given.real, p=p, seed=given.seed)


def synthetic(given: TrainingSet, *, clips: str = "synthetic", p: float = 0.5, classical_p: float = 0.0) -> Any:
    """Real clips, of which a share is replaced by clips of a cache, through `SyntheticAugment`.

    Only clips whose motion donor is a labelled heart of this run are used: the others carry labels it must not know.

    Args:
        given: the labelled clips and the caches.
        clips: kind of clips: ``synthetic`` or ``oracle``.
        p: share of synthetic items in every epoch.
        classical_p: share of all items, real and synthetic, that `ClassicalAugment` transforms on top.

    Raises:
        EchoAugmentError: no such cache was given.
    """
    if clips not in given.caches:
        raise EchoAugmentError(
            f"the arm needs a cache of {clips} clips and there is none",
            f"Fill one (echo-augment fill-cache) and give caches.{clips}=FOLDER, or run echo-augment benchmark",
        )
    source = ClipsOfMotionDonors(CachedClips(given.caches[clips]), given.labelled)
    mixed = SyntheticAugment(given.real, source, p=p, seed=given.seed)
    return ClassicalAugment(mixed, p=classical_p, seed=given.seed) if classical_p else mixed


def make_arm(spec: Mapping[str, Any]) -> Arm:
    """The function that an arm's configuration names, with its settings filled in.

    Raises:
        EchoAugmentError: the configuration names none.
    """
    settings = {key: value for key, value in spec.items() if key != "labels"}
    if "_target_" not in settings:
        raise EchoAugmentError("an arm needs _target_: the function that makes its dataset", "See conf/arm/real.yaml")
    arm: Arm = instantiate(settings, _partial_=True)
    return arm


def clips_of(spec: Mapping[str, Any]) -> str | None:
    """The kind of clips an arm takes from a cache; None for real clips only.

    Raises:
        EchoAugmentError: there is no such kind.
    """
    kind = spec.get("clips")
    if kind is not None and kind not in CLIP_KINDS:
        raise EchoAugmentError(f"an arm's clips must be one of {', '.join(CLIP_KINDS)}, got {kind!r}")
    return kind


def source_of(dataset: Any) -> Any:
    """The source of synthetic clips inside a dataset that an arm made; None where it has none."""
    while dataset is not None:
        if hasattr(dataset, "source"):
            return dataset.source
        dataset = getattr(dataset, "base", None)
    return None
