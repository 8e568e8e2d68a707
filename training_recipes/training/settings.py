"""Settings that all trainings share: the data set, the model, the recipe of its training, and the job around them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from omegaconf import MISSING

from echo_augment.cache.arguments import check_choice, check_number, check_share, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from ..common.dataset import DataSettings
from ..common.inputs import check_caches, check_trainings
from ..common.settings import JobSettings, group, object_from
from .selection import SMALLEST, check_rule
from .subsets import check_labels

PRECISIONS = ("auto", "bf16", "fp32")
VIDEO_ONLY = (
    "length",
    "period",
    "pad",
    "val_clips",
    "test_clips",
)  # what recipes for clips have and those for frames lack


@dataclass(kw_only=True)
class ModelSettings:
    """The network (``conf/model``).

    Attributes:
        name: of the model, for instance ``tiny``.
        settings: keyword arguments of the model's class.
    """

    name: str = MISSING
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class OptimizerSettings:
    """The optimiser; None leaves PyTorch's default.

    Attributes:
        name: ``adamw`` or ``sgd``.
        lr: learning rate, above 0.
        momentum: for ``sgd``, in [0, 1].
        weight_decay: at least 0.
    """

    name: str = MISSING
    lr: int | float = MISSING
    momentum: int | float | None = None
    weight_decay: int | float | None = None

    def __post_init__(self) -> None:
        check_choice("trainer.optimizer.name", self.name, ("adamw", "sgd"))
        check_number("trainer.optimizer.lr", self.lr, 0, above_low=True)
        if self.momentum is not None:
            check_share("trainer.optimizer.momentum", self.momentum)
            if self.name == "adamw":
                raise EchoAugmentError("trainer.optimizer.momentum is for sgd, got adamw", "Leave one of them out")
        if self.weight_decay is not None:
            check_number("trainer.optimizer.weight_decay", self.weight_decay, 0)


@dataclass(kw_only=True)
class ScheduleSettings:
    """The schedule of the learning rate.

    Attributes:
        name: ``cosine``, down to 0 after ``warmup`` steps; or ``step``, times ``factor`` after ``every_epochs`` epochs.
        warmup: optimiser steps over which the rate rises.
        every_epochs: epochs between two steps.
        factor: in [0, 1].
    """

    name: str = MISSING
    warmup: int | None = None
    every_epochs: int | None = None
    factor: int | float | None = None

    def __post_init__(self) -> None:
        check_choice("trainer.schedule.name", self.name, ("cosine", "step"))
        if self.name == "cosine":
            check_whole("trainer.schedule.warmup", self.warmup)
        else:
            check_whole("trainer.schedule.every_epochs", self.every_epochs, 1)
            check_share("trainer.schedule.factor", self.factor)


@dataclass(kw_only=True)
class TrainerSettings:
    """The recipe of a training (``conf/trainer``).

    Attributes:
        steps: optimiser steps; None to count ``epochs``.
        epochs: passes over the training set, where ``steps`` is None.
        batch_size: items a step.
        optimizer: see `OptimizerSettings`.
        schedule: see `ScheduleSettings`.
        clip_norm: bound of the gradient's norm; 0 for none.
        validate_every: steps between two validations; None for one after each epoch.
        selection: rule by which VAL chooses the weights; see `echo_augment.training_recipes.training.selection.keep`.
        precision: ``auto`` (bf16 where the hardware computes it natively), ``bf16`` or ``fp32``.
        threads: CPU threads; None leaves PyTorch's choice.
        workers: of the ``DataLoader``.
        memory_mb: decoded videos to keep in memory, in MB for each split.
        stats_clips: TRAIN clips from which mean and standard deviation of the grey values are taken.
        length: frames of a clip; None in recipes for single frames, as are the others below.
        period: video frames from one frame of the clip to the next.
        pad: pixels of zero padding before the random crop; None for no crop.
        val_clips: windows of a VAL video; None for all start frames.
        test_clips: windows of a TEST video; None for all start frames.
    """

    steps: int | None = None
    epochs: int | None = None
    batch_size: int = MISSING
    optimizer: OptimizerSettings = field(default_factory=group(OptimizerSettings))
    schedule: ScheduleSettings = field(default_factory=group(ScheduleSettings))
    clip_norm: int | float = MISSING
    validate_every: int | None = None
    selection: str = SMALLEST
    precision: str = "auto"
    threads: int | None = None
    workers: int = 0
    memory_mb: int | float = 0
    stats_clips: int = MISSING
    length: int | None = None
    period: int | None = None
    pad: int | None = None
    val_clips: int | None = None
    test_clips: int | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.epochs is None:
            raise EchoAugmentError("trainer has neither steps nor epochs", "Give trainer.steps=NUMBER")
        for name in ("steps", "epochs", "validate_every", "threads", "length", "period", "val_clips", "test_clips"):
            if (value := getattr(self, name)) is not None:
                check_whole(f"trainer.{name}", value, 1)
        for name, low in (("batch_size", 1), ("stats_clips", 1), ("workers", 0)):
            check_whole(f"trainer.{name}", getattr(self, name), low)
        if self.pad is not None:
            check_whole("trainer.pad", self.pad)
        check_number("trainer.clip_norm", self.clip_norm, 0)
        check_number("trainer.memory_mb", self.memory_mb, 0)
        check_rule(self.selection)
        check_choice("trainer.precision", self.precision, PRECISIONS)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the recipe as ``settings.json`` holds it: without the keys that it has no use for."""
        found = asdict(self)
        for part in ("optimizer", "schedule"):
            found[part] = {name: value for name, value in found[part].items() if value is not None}
        return {name: value for name, value in found.items() if self.length is not None or name not in VIDEO_ONLY}


@dataclass(kw_only=True)
class TrainingSettings(JobSettings):
    """What ``train-segmentation`` is told; ``train-ef`` has more.

    Attributes:
        data: see `DataSettings`.
        model: see `ModelSettings`.
        trainer: see `TrainerSettings`.
        arm: the one arm to train, by its name; its settings are those of the function that ``_target_`` names.
        labels: labelled TRAIN patients: a number, a share (0.125 or ``1/8``) or ``all``.
        val_at_least: VAL patients to select the weights by, at least.
        caches: folder of the synthetic clips of a kind.
    """

    data: DataSettings = field(default_factory=group(DataSettings))
    model: ModelSettings = field(default_factory=group(ModelSettings))
    trainer: TrainerSettings = field(default_factory=group(TrainerSettings))
    arm: dict[str, Any] = MISSING
    labels: int | float | str = "all"
    val_at_least: int = 16
    caches: dict[str, str] = field(default_factory=dict)

    def check_inputs(self) -> None:
        """Look for the data set and the caches."""
        self.data.check_inputs()
        check_caches("caches", self.caches.values())

    def __post_init__(self) -> None:
        super().__post_init__()
        check_labels(self.labels)
        check_whole("val_at_least", self.val_at_least, 1)
        if len(self.arm) != 1:
            raise EchoAugmentError(f"this job trains one arm, got {', '.join(self.arm) or 'none'}", "Give arm=NAME")


@dataclass(kw_only=True)
class PretrainedSettings:
    """Weights of others that ``model=pretrained`` and the arms ``pretrained_..`` take.

    Attributes:
        layout: ``r2plus1d_18``, ``panecho``, ``discovr``, ``echoprime`` or ``torchvision:NAME``.
        weights: file of the weights.
    """

    layout: str | None = None
    weights: str | None = None


@dataclass(kw_only=True)
class EFTrainingSettings(TrainingSettings):
    """What ``train-ef`` is told.

    Attributes:
        unlabelled: TRAIN patients without labels whose clips an arm may use; None for all.
        teachers: folder of the finished training by arm, for arms that learn from another one's net.
        pretrained: weights of others.
    """

    pretrained: PretrainedSettings = field(default_factory=group(PretrainedSettings))
    unlabelled: int | None = None
    teachers: dict[str, str] = field(default_factory=dict)

    def check_inputs(self) -> None:
        """Look for the data set, the caches and the teachers."""
        super().check_inputs()
        check_trainings("teachers", self.teachers.values())

    def __post_init__(self) -> None:
        super().__post_init__()
        check_unlabelled(self.unlabelled)


def recipe_of(
    spec: Mapping[str, JsonValue], model: ModelSettings, trainer: TrainerSettings
) -> tuple[ModelSettings, TrainerSettings]:
    """Return the network and the recipe of an arm: a run's, but for what the arm says of its own.

    Args:
        spec: settings of the arm: ``model``, whole, and ``trainer``, of which each key replaces the run's.
        model: the run's network.
        trainer: the run's recipe.

    Raises:
        EchoAugmentError: a setting that there is not, or out of its range.
    """
    own, changes = spec.get("model"), spec.get("trainer")
    if own is not None:
        model = object_from(own, ModelSettings)
    if isinstance(changes, Mapping):
        given = {name: value for name, value in changes.items() if value is not None}
        trainer = object_from({**asdict(trainer), **given}, TrainerSettings)
    return model, trainer


def check_unlabelled(unlabelled: int | None) -> None:
    """Raise if ``unlabelled`` is neither None nor a number of patients."""
    if unlabelled is not None:
        check_whole("unlabelled", unlabelled)
