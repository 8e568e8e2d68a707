"""What decides one training of an EF regressor, and whether it is done already."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from echo_augment.augmentor import CachedClips
from echo_augment.augmentor.data import read_table
from echo_augment.cache.errors import EchoAugmentError

from ..arms.specification import clips_of, teacher_of
from ..common.reporting import plain
from .selection import SMALLEST, check_rule

RESULT, SETTINGS = "result.json", "settings.json"
NEWER = ("unlabelled", "teachers")
RENAMED = {"echo_augment.training_recipes.ef.learners.": "echo_augment.training_recipes.ef_learners."}  # new to old
LABELLED_ONLY = tuple(f"echo_augment.training_recipes.arms.{name}" for name in ("real", "classical", "synthetic"))


@dataclass(frozen=True, kw_only=True)
class EfRun:
    """Everything that decides one training; two equal runs give equal figures.

    Attributes:
        root: the data set's folder.
        arm: name of the arm.
        spec: the arm's configuration.
        labels: of `echo_augment.training_recipes.training.subsets.count_labels`.
        seed: draws the labelled hearts and the training.
        model: ``name`` and ``settings``.
        trainer: the recipe, see ``conf/trainer``.
        val_at_least: VAL hearts to select by, at least.
        caches: folder by kind of clips.
        device: ``auto``, ``cpu``, ``cuda``, ..
        unlabelled: TRAIN hearts without labels that an arm may look at; None for all.
        teachers: folder of the finished training by arm, for arms that learn from another one's net.
    """

    root: str
    arm: str
    spec: Mapping[str, Any]
    labels: int | float | str
    seed: int
    model: Mapping[str, Any]
    trainer: Mapping[str, Any]
    val_at_least: int = 16
    caches: Mapping[str, str] = field(default_factory=dict)
    device: str = "auto"
    unlabelled: int | None = None
    teachers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.unlabelled is not None and (isinstance(self.unlabelled, bool) or self.unlabelled < 0):
            raise EchoAugmentError(f"unlabelled must be null or a number of hearts >= 0, got {self.unlabelled}")
        check_rule(str(self.trainer.get("selection") or SMALLEST))

    def key(self) -> str:
        """Hash of everything that the figures depend on: settings, the data set's table, the clips of the cache."""
        kind = clips_of(self.spec)
        root = read_table(self.root).root  # says what is wrong with the folder where something is
        content = hashlib.sha256((root / "FileList.csv").read_bytes()).hexdigest()
        clips: list[Any] = []
        if kind is not None and kind in self.caches:
            source = CachedClips(self.caches[kind], exclude=self.spec.get("exclude"))
            clips = [source.store.fingerprint, list(source.ids)]
        settings = {**asdict(self), "root": "", "caches": "", "device": "", "content": content, "clips": clips}
        settings["teachers"] = _key_of(self.teachers, teacher_of(self.spec))
        if self.spec.get("_target_") in LABELLED_ONLY:
            settings["unlabelled"] = None
        # What is as it always was is left out: results of earlier versions stay what they are.
        settings = {name: value for name, value in settings.items() if name not in NEWER or value is not None}
        if self.trainer.get("selection") == SMALLEST:
            settings["trainer"] = {name: value for name, value in self.trainer.items() if name != "selection"}
        text = json.dumps(plain(settings), sort_keys=True)
        for name, before in RENAMED.items():
            text = text.replace(name, before)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def _key_of(teachers: Mapping[str, str], name: str | None) -> str | None:
    """The key of the training that an arm learns from; None where there is none."""
    if name is None or name not in teachers:
        return None
    path = Path(teachers[name]) / RESULT
    if not path.is_file():
        raise EchoAugmentError(f"{path}: is missing", "Give the folder of a finished training as teacher")
    return str(json.loads(path.read_text(encoding="utf-8"))["key"])


def finished(run: EfRun, out: Path) -> dict[str, Any] | None:
    """The result of ``run`` in ``out``; None where it is not finished.

    Raises:
        EchoAugmentError: ``out`` holds a run with other settings.
    """
    for name in (RESULT, SETTINGS):
        path = out / name
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["key"] != run.key():
                raise EchoAugmentError(
                    f"{out} holds a training with other settings, data or clips",
                    "Choose another out=, or delete the folder to train anew",
                )
            if name == RESULT:
                return dict(found)
    return None
