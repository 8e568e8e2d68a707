"""What decides one training, the key under which it is found again, and whether it is done already."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from echo_augment.augmentor import CachedClips
from echo_augment.augmentor.data import VideoInfo, read_table
from echo_augment.augmentor.data.layouts.finding import DataFiles, find_files
from echo_augment.augmentor.data.splits import HELD_OUT
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from ..arms.specification import clips_of, excluded_by, teacher_of
from ..common.reporting import plain
from ..common.settings import object_from
from .selection import SMALLEST
from .settings import ModelSettings, TrainerSettings, check_unlabelled
from .setup import Arithmetic
from .videos import changed_video

RESULT, SETTINGS = "result.json", "settings.json"
NEWER = ("unlabelled", "teachers", "ef_unit")
RENAMED = {"echo_augment.training_recipes.ef.learners.": "echo_augment.training_recipes.ef_learners."}  # new to old
LABELLED_ONLY = tuple(
    f"echo_augment.training_recipes.arms.{name}"
    for name in ("real", "classical", "synthetic", "classical_strong", "mixup")
)
Run = TypeVar("Run", bound="TrainingRun")
Prediction = TypeVar("Prediction")


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """Everything that decides one training; two equal runs give equal figures.

    Attributes:
        root: folder of the data set.
        arm: name of the arm.
        spec: settings of the arm.
        labels: see `echo_augment.training_recipes.training.subsets.count_labels`.
        seed: draws the labelled patients and the training.
        model: the network.
        trainer: the recipe.
        val_at_least: VAL patients to select the weights by, at least.
        caches: folder of the clips of a kind.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        unlabelled: TRAIN patients without labels whose clips an arm may use; None for all.
        teachers: folder of the finished training by arm, for arms that learn from another one's net.
        ef_unit: unit of the EF in the data set's table; None for percent.
        follow_links: whether its videos may be links that lead out of the folder.

    Raises:
        EchoAugmentError: ``unlabelled`` is out of its range.
    """

    task: ClassVar[str]
    result: ClassVar[type["TrainingResult[Any]"]]

    root: str
    arm: str
    spec: Mapping[str, JsonValue]
    labels: int | float | str
    seed: int
    model: ModelSettings
    trainer: TrainerSettings
    val_at_least: int = 16
    caches: Mapping[str, str] = field(default_factory=dict)
    device: str = "auto"
    unlabelled: int | None = None
    teachers: Mapping[str, str] = field(default_factory=dict)
    ef_unit: str | None = None
    follow_links: bool = True

    def __post_init__(self) -> None:
        check_unlabelled(self.unlabelled)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the run as ``settings.json`` holds it, but for the key."""
        named: dict[str, JsonValue] = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**named, "model": asdict(self.model), "trainer": self.trainer.to_json()}

    @classmethod
    def from_json(cls, found: Mapping[str, JsonValue]) -> Self:
        """Return the run that a ``settings.json`` holds."""
        known = {one.name: found[one.name] for one in fields(cls) if one.name in found}
        model, trainer = object_from(found["model"], ModelSettings), object_from(found["trainer"], TrainerSettings)
        return cls(**{**known, "model": model, "trainer": trainer})  # type: ignore[arg-type]

    def data(self) -> DataFiles:
        """Return the data set's tables and how they are read."""
        return find_files(self.root, ef_unit=self.ef_unit, follow_links=self.follow_links)

    def videos(self) -> list[VideoInfo]:
        """Return the rows of TRAIN, VAL and TEST whose files are there."""
        rows = read_table(self.data()).rows
        return [row for row in rows if row.split in ("TRAIN", *HELD_OUT) and row.path.is_file()]

    def key(self) -> str:
        """Return a hash of all that the figures depend on: the settings, the data set's table, the cache's clips."""
        kind = clips_of(self.spec)
        lists = self.data().lists  # names what is wrong with the folder
        content = hashlib.sha256(b"".join(listing.path.read_bytes() for listing in lists)).hexdigest()
        clips: list[JsonValue] = []
        if kind is not None and kind in self.caches:
            source = CachedClips(self.caches[kind], exclude=excluded_by(self.spec))
            clips = [source.store.fingerprint, list(source.ids)]
        settings = {**self.to_json(), "root": "", "caches": "", "device": "", "content": content, "clips": clips}
        del settings["follow_links"]  # says which files may be read, not what is in them
        settings["teachers"] = _key_of(self.teachers, teacher_of(self.spec))
        settings["spec"] = {name: value for name, value in self.spec.items() if value is not None and name != "model"}
        settings["model"] = {**asdict(self.model), "settings": hashed_weights(self.model.settings)}
        if self.spec.get("_target_") in LABELLED_ONLY:
            settings["unlabelled"] = None
        # Settings that came later are left out while they say nothing new: results of earlier versions stay valid.
        settings = {name: value for name, value in settings.items() if name not in NEWER or value is not None}
        if self.trainer.selection == SMALLEST:
            settings["trainer"] = {name: value for name, value in self.trainer.to_json().items() if name != "selection"}
        text = json.dumps(plain(settings), sort_keys=True)
        for name, before in RENAMED.items():
            text = text.replace(name, before)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def hashed_weights(settings: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return settings of a model with a hash of its file of weights instead of the file's place."""
    path = settings.get("weights")
    if not isinstance(path, str) or not Path(path).is_file():
        return dict(settings)
    with Path(path).open("rb") as file:
        return {**settings, "weights": hashlib.file_digest(file, "sha256").hexdigest()}


def _key_of(teachers: Mapping[str, str], name: str | None) -> str | None:
    """Return the key of the training that an arm learns from; None if it learns from none."""
    if name is None or name not in teachers:
        return None
    path = Path(teachers[name]) / RESULT
    if not path.is_file():
        raise EchoAugmentError(f"{path}: is missing", "Give the folder of a finished training as teacher")
    return str(json.loads(path.read_text(encoding="utf-8"))["key"])


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult(Generic[Prediction]):
    """What a finished training found: the content of ``result.json``.

    Attributes:
        key: see `TrainingRun.key`.
        arm: name of the arm.
        seed: of the run.
        labelled: names of the TRAIN videos whose labels were used.
        labelled_hearts: how many these are.
        train_hearts: usable TRAIN videos.
        validation_hearts: VAL videos that selected the weights.
        steps: optimiser steps.
        batch_size: items a step.
        best_step: step of the selected weights.
        seconds: time in the training loop.
        history: ``step`` and figures of every validation.
        clips: synthetic clips that the arm could use.
        fingerprint: of the generator that made them.
        notes: what a report should say besides.
        skipped: name and reason of each video that could not be used.
        predictions: what the task predicted of each TEST video, by its name.
        arithmetic: what it was computed with; None in results of early versions.
    """

    key: str
    arm: str
    seed: int
    labelled: list[str]
    labelled_hearts: int
    train_hearts: int
    validation_hearts: int
    steps: int
    batch_size: int
    best_step: int
    seconds: float
    history: list[dict[str, float]]
    clips: int
    fingerprint: str
    notes: list[str]
    skipped: list[list[str]]
    predictions: dict[str, Prediction]
    arithmetic: Arithmetic | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the content of ``result.json``."""
        found: dict[str, JsonValue] = plain(asdict(self))
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return the result that a ``result.json`` holds; keys of other versions are left out."""
        values = {one.name: found[one.name] for one in fields(cls) if one.name in found or one.name != "arithmetic"}
        if values.get("arithmetic") is not None:
            values["arithmetic"] = Arithmetic(**values["arithmetic"])
        return cls(**values)


def finished(run: TrainingRun, out: Path) -> TrainingResult[Any] | None:
    """Return the result of ``run`` in ``out``, or None if it is not finished.

    Raises:
        EchoAugmentError: ``out`` holds a run with other settings, or on other videos under the same names.
    """
    remedy = "Choose another out=, or delete the folder to train anew"
    for name in (RESULT, SETTINGS):
        path = out / name
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["key"] != run.key():
                raise EchoAugmentError(f"{out} holds a training with other settings, data or clips", remedy)
            if (change := changed_video(out, run.videos())) is not None:
                raise EchoAugmentError(f"{out} holds a training on other videos: {change}", remedy)
            if name == RESULT:
                return run.result.from_json(found)
    return None
