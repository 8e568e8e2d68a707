"""Settings of the jobs ``benchmark`` and ``demo``."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from echo_augment.augmentor.devices import AUTO
from echo_augment.cache.arguments import check_choice, check_number, check_seed, check_share, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.dataset import DataSettings
from echo_augment.training_recipes.common.inputs import check_caches, check_dataset_folder, check_generator
from echo_augment.training_recipes.common.settings import JobSettings, group, object_from
from echo_augment.training_recipes.training.settings import ModelSettings, PretrainedSettings, TrainerSettings
from echo_augment.training_recipes.training.subsets import check_labels

from .study_settings import PrimarySettings, TuneSettings, without_nulls

TASKS = ("ef", "segmentation")


@dataclass(kw_only=True)
class ClipGeneratorSettings:
    """The generator of the synthetic clips.

    Attributes:
        weights: ``bundled``, a folder that ``train-generator`` wrote, or None to train one first.
        train: with ``weights=None``, what else to tell ``train-generator``.
        seeds: with ``weights=None``, a generator is trained with each; the seeds of the benchmark get them in turn, so
            that intervals are over generators, too. None for one generator with the benchmark's own ``seed``.
        also: with ``weights=None``, folders of further data sets whose TRAIN videos train it, too; None for none.
        folder: with ``weights=None``, where it is trained, for benchmarks that share it; None for ``out``.
        ef_conditioned: folder of the generator that the arm ``ef_conditioned`` takes its clips from; None without one.
        steps: of the sampler; None for the generator's own number.
        batch: clips generated at a time.
    """

    weights: str | None = "bundled"
    ef_conditioned: str | None = None
    train: list[str] = field(default_factory=list)
    seeds: list[int] | None = None
    also: list[str] | None = None
    folder: str | None = None
    steps: int | None = None
    batch: int = 8

    def __post_init__(self) -> None:
        for name in ("seeds", "also", "folder"):
            if self.weights is not None and getattr(self, name) is not None:
                raise EchoAugmentError(
                    f"generator.{name} is for a generator that is trained here, and generator.weights={self.weights}",
                    f"Give generator.weights=null, or leave generator.{name} out",
                )
        if self.seeds is not None:
            check_different("generator.seeds", self.seeds)
            for seed in self.seeds:
                check_seed(seed, "generator.seeds")
        if self.steps is not None:
            check_whole("generator.steps", self.steps)
        check_whole("generator.batch", self.batch, 1)


@dataclass(kw_only=True)
class SweepSettings:
    """One benchmark for each value of a setting.

    Attributes:
        key: path of the setting, for instance ``arm.synthetic.p``.
        values: two or more different ones.
    """

    key: str | None = None
    values: list[Any] | None = None


@dataclass(kw_only=True)
class PublishedSettings:
    """A row from a paper beside ours: its name, and MAE in EF points by labels as configured."""

    name: str
    mae: dict[str, float]


@dataclass(kw_only=True)
class DesignSettings(JobSettings):
    """What ``demo`` is told; ``benchmark`` has more.

    Attributes:
        data: the data set.
        model: the network that is trained.
        trainer: the recipe of its training.
        arm: settings of every arm, by name.
        task: ``ef`` or ``segmentation``.
        labels: labelled TRAIN videos, one benchmark each: numbers, shares (0.125 or ``1/8``) or ``all``.
        seeds: each draws its own labelled videos and its own training.
        val_at_least: VAL videos that weights are selected by, at least.
        unlabelled: TRAIN videos without labels that arms may look at; None for all.
        clips: synthetic clips for each seed and number of labels.
        generator: what makes them.
        label_gate: quantile in (0, 1] of the errors on VAL of the net of the arm ``real``, within which that net has to
            read a clip's EF; None for no such gate.
        masks_at_least: confidence of a synthetic clip's masks, in [0, 1]; for ``task=segmentation``.
        caches: folder of ready clips by kind, instead of filling.
        level: coverage of the intervals, in (0, 1).
        resamples: of the bootstrap.
        workers: trainings side by side; ``auto`` for one a CPU core, or one on a GPU.
        published: rows from papers.
        borrow: folders of other benchmarks; a training that is the very same there is copied. None for none.
        store: where caches are kept, for benchmarks that share them; None for ``caches`` in ``out``.
        test: folders of further data sets, by name, on whose TEST videos every net is tested, too, once.
    """

    data: DataSettings = field(default_factory=group(DataSettings))
    model: ModelSettings = field(default_factory=group(ModelSettings))
    trainer: TrainerSettings = field(default_factory=group(TrainerSettings))
    arm: dict[str, Any] = field(default_factory=dict)
    task: str = "ef"
    labels: list[int | float | str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    val_at_least: int = 16
    unlabelled: int | None = None
    clips: int = 100
    generator: ClipGeneratorSettings = field(default_factory=ClipGeneratorSettings)
    label_gate: int | float | None = None
    masks_at_least: int | float | None = None
    caches: dict[str, str] = field(default_factory=dict)
    level: float = 0.95
    resamples: int = 4999
    workers: int | str = AUTO
    published: list[PublishedSettings] = field(default_factory=list)
    borrow: list[str] | None = None
    store: str | None = None
    test: dict[str, str | None] = field(default_factory=dict)

    @property
    def tests(self) -> dict[str, str]:
        """``test`` without the folders that are null."""
        return {name: folder for name, folder in self.test.items() if folder is not None}

    def check_inputs(self) -> None:
        """Look for the data set, the generator and the ready caches."""
        self.data.check_inputs()
        check_generator("generator.weights", self.generator.weights)
        check_generator("generator.ef_conditioned", self.generator.ef_conditioned)
        check_caches("caches", self.caches.values())
        for folder in self.tests.values():
            check_dataset_folder(folder)
        for folder in self.generator.also or ():
            check_dataset_folder(folder)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._name_neighbours()
        check_choice("task", self.task, TASKS)
        for labels in self.labels:
            check_labels(labels)
        check_different("labels", self.labels)
        check_different("seeds", self.seeds)
        for seed in self.seeds:
            check_seed(seed, "seeds")
        check_whole("val_at_least", self.val_at_least, 1)
        check_whole("clips", self.clips, 1)
        check_whole("resamples", self.resamples, 1)
        if self.unlabelled is not None:
            check_whole("unlabelled", self.unlabelled)
        if not 0 < self.level < 1:
            raise EchoAugmentError(f"level must be in (0, 1), got {self.level!r}")
        if self.workers != AUTO and (not isinstance(self.workers, int) or self.workers < 1):
            raise EchoAugmentError(f"workers must be auto or a number of at least 1, got {self.workers!r}")
        if self.masks_at_least is not None:
            check_share("masks_at_least", self.masks_at_least)
        self._check_label_gate()

    def _name_neighbours(self) -> None:
        """Name folders beside ``out`` (``${out}/../hearts``) without it: it need not be there yet."""
        self.data.root, self.store = neighbour(self.data.root), neighbour(self.store)
        self.test = {name: neighbour(folder) for name, folder in self.test.items()}
        self.borrow = neighbours(self.borrow)
        self.generator.folder, self.generator.also = neighbour(self.generator.folder), neighbours(self.generator.also)

    def _check_label_gate(self) -> None:
        if self.label_gate is None:
            return
        check_number("label_gate", self.label_gate, 0, 1, above_low=True)
        if "synthetic" in self.caches:
            raise EchoAugmentError(
                f"label_gate={self.label_gate} would judge no clip: caches.synthetic is filled already",
                "Leave one of the two out; fill-cache has gates of its own",
            )


@dataclass(kw_only=True)
class BenchmarkSettings(DesignSettings):
    """What ``benchmark`` is told.

    Attributes:
        rank: which of ``world`` processes this is that share the seeds; ``auto`` as the cluster says.
        world: how many processes there are; ``auto`` likewise.
        sweep: a `SweepSettings`, one benchmark for each value of a setting; None for one benchmark.
        tune: a `TuneSettings`, what is tuned first; None for nothing.
        primary: the questions that are declared primary; None for none.
        pretrained: weights of others, for the arms ``pretrained_..`` and ``model=pretrained``.
    """

    rank: int | str = AUTO
    world: int | str = AUTO
    sweep: Any = None  # these are typed below: Hydra cannot override a group of settings that is null (OmegaConf 2.3)
    tune: Any = None
    primary: list[PrimarySettings] | None = None
    pretrained: PretrainedSettings = field(default_factory=group(PretrainedSettings))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sweep is not None and not isinstance(self.sweep, SweepSettings):
            self.sweep = object_from(self.sweep, SweepSettings)
        if self.tune is not None and not isinstance(self.tune, TuneSettings):
            self.tune = object_from(without_nulls(self.tune), TuneSettings)
            self.tune.of = neighbours(self.tune.of)
            if "root" in self.tune.data:
                self.tune.data["root"] = neighbour(self.tune.data["root"])
        if self.sweep is not None and self.tune is not None:
            raise EchoAugmentError("tune and sweep are two ways to try values", "Leave one of them out")
        self._check_primary()
        if self.sweep is not None and self.rank != AUTO:
            raise EchoAugmentError(f"a sweep is one process's work, got rank={self.rank}", "Leave rank= out")
        if self.sweep is not None and self.task != "ef":
            raise EchoAugmentError(f"a sweep needs task=ef, got task={self.task}", "Run one benchmark for each value")

    def _check_primary(self) -> None:
        """Refuse a primary question that this benchmark cannot answer."""
        for one in self.primary or ():
            unknown = [name for name in one.pair.split("-") if name not in self.arm]
            if unknown or str(one.labels) not in map(str, self.labels):
                what = f"the arm {unknown[0]}" if unknown else f"labels={one.labels}"
                raise EchoAugmentError(f"primary question {one.number} needs {what}, which is not trained here")
            if one.test is not None and one.test not in self.tests:
                raise EchoAugmentError(f"primary question {one.number} needs test.{one.test}", "Add +test.NAME=FOLDER")


def neighbour(folder: str | None) -> str | None:
    """Return the path of a folder without the ``..`` in it.

    >>> neighbour("runs/protocol/ef-16/../hearts")
    'runs/protocol/hearts'
    """
    return folder if folder is None or ".." not in folder.split("/") else os.path.normpath(folder)


def neighbours(folders: Sequence[str] | None) -> list[str] | None:
    """Return the paths of folders likewise."""
    return None if folders is None else [neighbour(folder) or "" for folder in folders]


def check_different(name: str, values: Sequence[object]) -> None:
    """Raise if ``values`` is empty or holds a value twice.

    Raises:
        EchoAugmentError: with the setting's name and value.
    """
    if not values or len(set(map(str, values))) != len(values):
        raise EchoAugmentError(f"{name} must be a list of different values, got {values!r}", f"For instance {name}=[1]")
