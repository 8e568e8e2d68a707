"""Arms: what an EF model is trained on. Everything else is equal between them.

An arm is a file ``conf/arm/<name>.yaml`` that names one of the functions below (or your own, by ``_target_``). It is
called with a `TrainingSet` and returns the dataset to train on. Its other keys are passed to the function, except

- ``labels: all``, which gives the arm every label of TRAIN;
- ``learner``: how a batch teaches the net, see `echo_augment.training_recipes.ef_learners`.

An arm of your own is a file of your own: ``--config-dir FOLDER`` with ``FOLDER/arm/mine.yaml``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from hydra.utils import instantiate

from echo_augment.augmentor import CachedClips, ClassicalAugment, SyntheticAugment
from echo_augment.augmentor.mcdm.labels import POLICIES, LabelPolicy, Teacher
from echo_augment.cache.errors import EchoAugmentError

from .chosen import ClipsOfMotionDonors
from .renewed import RenewedClips
from .unlabelled import WithUnlabelled

CLIP_KINDS = ("synthetic", "oracle")
TEACHER = "real"  # the arm whose net teaches where an arm names none
NOT_PASSED_ON = ("labels", "learner")  # keys of an arm's configuration that its function does not get
Teach = Callable[[str, int], npt.NDArray[np.float64]]
Reader = Callable[[str], Teacher]


def no_teacher(name: str, *_: int) -> NoReturn:
    """What a training without teachers does where an arm asks for one.

    Raises:
        EchoAugmentError: always.
    """
    raise EchoAugmentError(
        f"the arm learns from the net of the arm {name}, and there is none",
        f"Add {name} to arm=[..] of the benchmark, or give train-ef +teachers.{name}=FOLDER of its training",
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What an arm may use.

    Attributes:
        real: the labelled real clips, a dataset of ``(clip, EF)``.
        labelled: names of the labelled hearts, in the order of ``real``.
        caches: folder of the clips of a kind: ``synthetic`` from the generator, ``oracle`` exact counterfactuals.
        seed: of the training.
        unlabelled: clips of the TRAIN hearts without labels, in the form of ``real``; their EF must not be used. None
            where the recipe has no use for them.
        teach: ``(arm, windows)`` to the EF in percent that the trained net of another arm reads from every one of
            ``unlabelled``, the mean over so many windows of each video.
        reader: name of another arm to its trained net, as a reader of clips.
        all_known: ``labelled`` are all usable hearts of TRAIN.
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
    """The labelled real clips alone, with the recipe's own padding and random crop."""
    return given.real


def classical(given: TrainingSet, *, p: float = 1.0) -> Any:
    """Real clips, a share ``p`` of them transformed by `ClassicalAugment`."""
    return ClassicalAugment(given.real, p=p, seed=given.seed)


def synthetic(
    given: TrainingSet,
    *,
    clips: str = "synthetic",
    p: float = 0.5,
    classical_p: float = 0.0,
    most: int | None = None,
    label: str = "donor",
    teacher: str = TEACHER,
    tolerance: float = 10.0,
    fresh: float = 0.0,
    stock: int | None = None,
    reuse: float = 4.0,
) -> Any:
    """Real clips, of which a share is replaced by clips of a cache, through `SyntheticAugment`.

    Only clips whose motion donor is a labelled heart of this run are used: the others carry labels it must not know.

    Args:
        given: the labelled clips and the caches.
        clips: kind of clips: ``synthetic`` or ``oracle``.
        p: share of synthetic items in every epoch.
        classical_p: share of all items, real and synthetic, that `ClassicalAugment` transforms on top.
        most: clips of the cache to use at most; None for all that the run may know.
        label: ``donor``; ``teacher`` or ``consensus``, by `echo_augment.augmentor.mcdm.labels`; or ``shuffled`` for the
            control whose labels say nothing.
        teacher: name of the arm whose net of the same labels and seed reads the clips, where ``label`` needs one.
        tolerance: difference in EF points beyond which ``consensus`` leaves a clip out; the confidence of both policies
            is 0.61 there.
        fresh: share of synthetic items whose clip comes fresh instead of from the ``stock``; see `RenewedClips`.
        stock: clips of the cache that are served again and again, the first ones; None for all. The others come fresh.
        reuse: items that get the same fresh clip, on average.

    Raises:
        EchoAugmentError: no such cache was given, there is no such ``label`` or its teacher, or a fresh share without a
            ``stock``.
    """
    if clips not in given.caches:
        raise EchoAugmentError(
            f"the arm needs a cache of {clips} clips and there is none",
            f"Fill one (echo-augment fill-cache) and give +caches.{clips}=FOLDER, or run echo-augment benchmark",
        )
    source: Any = ClipsOfMotionDonors(
        CachedClips(given.caches[clips]),
        given.labelled,
        most=most,
        shuffle=given.seed if label == "shuffled" else None,
        policy=_policy(label, given, teacher, tolerance),
        all_known=given.all_known,
    )
    if stock is not None:
        source = RenewedClips(source, fresh=fresh, stock=stock, reuse=reuse, items=len(given.real), p=p)
    elif fresh:
        raise EchoAugmentError(
            f"fresh={fresh} needs a stock of clips that are not fresh", "Give +arm.synthetic.stock=NUMBER"
        )
    mixed = SyntheticAugment(given.real, source, p=p, seed=given.seed)
    return ClassicalAugment(mixed, p=classical_p, seed=given.seed) if classical_p else mixed


def _policy(label: str, given: TrainingSet, teacher: str, tolerance: float) -> LabelPolicy | None:
    if label in ("donor", "shuffled"):
        return None
    if label not in POLICIES:
        raise EchoAugmentError(f"label must be one of {', '.join(POLICIES)} or shuffled, got {label!r}")
    return LabelPolicy(label, teacher=given.reader(teacher), tolerance=tolerance)


def count_unlabelled(given: TrainingSet) -> int:
    """How many unlabelled hearts there are.

    Raises:
        EchoAugmentError: the recipe gives an arm none.
    """
    if given.unlabelled is None:
        raise EchoAugmentError(
            "this recipe has no unlabelled clips for an arm to learn from",
            "pseudo_label and mean_teacher are arms of the EF recipe; leave them out of arm=[..]",
        )
    return len(given.unlabelled)


def pseudo_label(given: TrainingSet, *, teacher: str = "real", p: float = 0.5, windows: int = 5) -> Any:
    """Labelled clips, of which a share is replaced by unlabelled ones with the EF that a teacher read from them.

    Lee, "Pseudo-Label" (ICML workshop 2013), for a regression. The fair opponent of a generator that sees unlabelled
    videos. With all labels there is nothing unlabelled, and the arm is ``real``.

    Args:
        given: the clips and the teacher.
        teacher: name of the arm whose net of the same labels and seed is the teacher.
        p: share of unlabelled items in every epoch.
        windows: of each video that the teacher reads, evenly spaced.
    """
    if count_unlabelled(given) == 0:
        return given.real
    return WithUnlabelled(given.real, given.unlabelled, given.teach(teacher, windows), p=p, seed=given.seed)


def mean_teacher(given: TrainingSet, *, p: float = 0.5) -> Any:
    """Labelled clips, of which a share ``p`` is replaced by unlabelled ones without any EF (NaN).

    For `echo_augment.training_recipes.ef_learners.MeanTeacher`, which asks nothing but agreement of those.
    """
    if (count := count_unlabelled(given)) == 0:
        return given.real
    return WithUnlabelled(given.real, given.unlabelled, np.full(count, np.nan), p=p, seed=given.seed)


def synthetic_pseudo_label(
    given: TrainingSet,
    *,
    teacher: str = "synthetic",
    p: float = 1 / 3,
    unlabelled_p: float = 0.5,
    windows: int = 5,
    clips: str = "synthetic",
) -> Any:
    """`pseudo_label` with a share ``p`` of all items replaced by synthetic clips; ``unlabelled_p`` is of the others."""
    real = pseudo_label(given, teacher=teacher, p=unlabelled_p, windows=windows)
    return synthetic(replace(given, real=real), clips=clips, p=p)


def make_arm(spec: Mapping[str, Any]) -> Arm:
    """The function that an arm's configuration names, with its settings filled in.

    Raises:
        EchoAugmentError: the configuration names none.
    """
    settings = {key: value for key, value in spec.items() if key not in NOT_PASSED_ON}
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


def teacher_of(spec: Mapping[str, Any]) -> str | None:
    """The arm whose trained net an arm learns from; None where it needs none."""
    teacher = spec.get("teacher", TEACHER if spec.get("label") in POLICIES[1:] else None)
    return None if teacher is None else str(teacher)


def source_of(dataset: Any) -> Any:
    """The source of synthetic clips inside a dataset that an arm made; None where it has none."""
    while dataset is not None:
        if hasattr(dataset, "source"):
            return dataset.source
        dataset = getattr(dataset, "base", None)
    return None
