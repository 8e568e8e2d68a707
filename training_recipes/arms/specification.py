"""Arms: what an EF model or a segmenter is trained on. Everything else is equal between them.

An arm is a file ``conf/arm/<name>.yaml`` that names a function by ``_target_``: one of
`echo_augment.training_recipes.arms` or your own. It is
called with a `TrainingSet` and returns the dataset to train on. Its other keys are passed to the function, except

- ``labels: all``, which gives the arm every label of TRAIN;
- ``learner``: how a batch teaches the net, see `echo_augment.training_recipes.ef.learners`;
- ``model``: a network of its own, as ``conf/model`` has them, and ``trainer``: what differs of its recipe.

An arm of your own is a file of your own: ``--config-dir FOLDER`` with ``FOLDER/arm/mine.yaml``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from hydra.utils import instantiate

from echo_augment.augmentor import ClassicalAugment
from echo_augment.augmentor.mcdm.labels import POLICIES
from echo_augment.augmentor.predictors import EFPredictor
from echo_augment.cache.arguments import check_choice
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

TOLD = "ef_conditioned"  # kind of clips: of a generator that is told an EF, instead of shown a motion
WARP = "warp"  # kind of clips: of nothing learned, see `echo_augment.augmentor.sources.warp`
TEACHER = "real"  # the arm whose net teaches where an arm names none
NOT_PASSED_ON = (
    "labels",
    "learner",
    "model",
    "trainer",
)  # keys of an arm's configuration that its function does not get
Teach = Callable[[str, int], npt.NDArray[np.float64]]
Reader = Callable[[str], EFPredictor]


def no_teacher(name: str, *_: int) -> NoReturn:
    """Raise: an arm asks for a teacher in a training without any.

    Raises:
        EchoAugmentError: always.
    """
    raise EchoAugmentError(
        f"the arm learns from the net of the arm {name}, which was not given",
        f"Add {name} to arm=[..] of the benchmark, or give train-ef +teachers.{name}=FOLDER of its training",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How clips of a kind are made by the generator of the arm ``synthetic``.

    Attributes:
        steps: of the sampler; None for the run's own number.
        pairs: whom a motion donor is paired with, see `echo_augment.cache.make_plan`.
        balance: how EF is spread, likewise.
    """

    steps: int | None = None
    pairs: str = "others"
    balance: str = "natural"


MAKINGS = {
    "synthetic": Making(),
    "transport": Making(steps=0),
    "self": Making(pairs="self"),
    "balanced": Making(balance="uniform"),
}
"""Clips of the generator, by kind."""

CLIP_KINDS = (*MAKINGS, WARP, "oracle", "peer", TOLD)


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What an arm may use.

    Attributes:
        real: the labelled real clips, a dataset of ``(clip, EF)``.
        labelled: names of the labelled videos, in the order of ``real``.
        caches: folder of the clips of a kind: `MAKINGS` from the generator, ``warp`` of nothing learned, ``oracle``
            exact counterfactuals, ``peer`` an imported set.
        seed: seed of the training.
        unlabelled: clips of the TRAIN videos without labels, in the form of ``real``; their EF must not be used. None
            if the recipe has no use for them.
        teach: ``(arm, windows)`` to the EF in percent that the trained net of another arm reads from every one of
            ``unlabelled``, the mean over so many windows of each video.
        reader: name of another arm to its trained net, as a reader of clips.
        all_known: ``labelled`` are all usable videos of TRAIN.
    """

    real: Any
    labelled: tuple[str, ...]
    caches: Mapping[str, Path]
    seed: int
    unlabelled: Any = None
    teach: Teach = no_teacher
    reader: Reader = no_teacher
    all_known: bool = False


Arm = Callable[[TrainingSet], Any]


def real(given: TrainingSet) -> Any:
    """Return the labelled real clips alone, with the recipe's own padding and random crop."""
    return given.real


def classical(given: TrainingSet, *, p: float = 1.0) -> Any:
    """Return real clips, a share ``p`` of them transformed by `ClassicalAugment`."""
    return ClassicalAugment(given.real, p=p, seed=given.seed)


def augmented(data: Any, given: TrainingSet, *, p: float, strength: str = "mild", amount: float = 1.0) -> Any:
    """Return a dataset of which `ClassicalAugment` changes a share ``p``; itself if that is 0.

    Args:
        data: items of an arm, real or synthetic.
        given: has the seed.
        p: share of items, in [0, 1].
        strength: ``mild`` or ``strong``.
        amount: share of the ranges of ``strong``, in [0, 1].
    """
    kind: Any = strength  # checked there
    return ClassicalAugment(data, p=p, strength=kind, amount=amount, seed=given.seed) if p else data


def make_arm(spec: Mapping[str, JsonValue]) -> Arm:
    """Return the function that an arm's settings name, with its settings filled in; null is the function's default.

    Raises:
        EchoAugmentError: the settings name none.
    """
    settings = {key: value for key, value in spec.items() if key not in NOT_PASSED_ON and value is not None}
    if "_target_" not in settings:
        raise EchoAugmentError("an arm needs _target_: the function that makes its dataset", "See conf/arm/real.yaml")
    arm: Arm = instantiate(settings, _partial_=True)
    return arm


def clips_of(spec: Mapping[str, JsonValue]) -> str | None:
    """Return the kind of clips that an arm takes from a cache; None if it takes real clips only.

    Raises:
        EchoAugmentError: there is no such kind.
    """
    kind = spec.get("clips")
    return None if kind is None else check_choice("clips of an arm", kind, CLIP_KINDS)


def excluded_by(spec: Mapping[str, JsonValue]) -> str | None:
    """Return the file of clips that an arm leaves out (``exclude``), or None."""
    exclude = spec.get("exclude")
    return None if exclude is None else str(exclude)


def labels_of(spec: Mapping[str, JsonValue]) -> int | float | str | None:
    """Return the labels that an arm knows whatever its run does (``labels: all``), or None.

    Raises:
        EchoAugmentError: they are neither a number nor a text.
    """
    labels = spec.get("labels")
    if labels is None or isinstance(labels, int | float | str):
        return labels
    raise EchoAugmentError(f"an arm's labels must be a number, a share or 'all', got {labels!r}")


def teacher_of(spec: Mapping[str, JsonValue]) -> str | None:
    """Return the arm whose trained net an arm learns from, or None."""
    teacher = spec.get("teacher") or (TEACHER if spec.get("label") in POLICIES[1:] else None)
    return None if teacher is None else str(teacher)


def source_of(dataset: Any) -> Any:
    """Return the source of synthetic clips inside a dataset that an arm made, or None."""
    while dataset is not None:
        if hasattr(dataset, "source"):
            return dataset.source
        dataset = getattr(dataset, "base", None)
    return None
