"""The design of a benchmark: which arms are trained with which labels and seeds, and where each training is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.arms.specification import clips_of, teacher_of
from echo_augment.training_recipes.common.settings import object_from
from echo_augment.training_recipes.training.run import TrainingRun
from echo_augment.training_recipes.training.settings import ModelSettings, TrainerSettings
from echo_augment.training_recipes.training.subsets import choose_labelled, count_labels

Settings = Mapping[str, Any]
Subset = tuple[int, int]  # place in the list of label counts, seed


def check_settings(settings: Settings, tasks: Sequence[str]) -> None:
    """Refuse settings that no benchmark can have.

    Raises:
        EchoAugmentError: naming the setting and its value.
    """
    if settings["task"] not in tasks:
        raise EchoAugmentError(f"task must be one of {', '.join(tasks)}, got {settings['task']!r}")
    for name in ("labels", "seeds"):
        values = settings[name]
        if not isinstance(values, list) or not values or len(set(map(str, values))) != len(values):
            raise EchoAugmentError(
                f"{name} must be a list of different values, got {values!r}", f"For instance {name}=[1]"
            )


def choose_arms(arms: Settings, root: Path) -> tuple[list[str], dict[str, Any]]:
    """The arms that can be trained on this data, and what to say about the others.

    Raises:
        EchoAugmentError: an arm's name has a ``-``, which joins two names in ``contrasts``.
    """
    for name in arms:
        if "-" in name:
            raise EchoAugmentError(f"an arm is called {name!r}: names of arms have no '-'", "Take '_' or '+'")
    phantoms = (root / "phantoms.json").exists()
    kept = {name: spec for name, spec in arms.items() if phantoms or clips_of(spec) != "oracle"}
    dropped = [name for name in arms if name not in kept]
    notes = [f"The arm {name} was left out: real hearts have no exact counterfactual to render." for name in dropped]
    return notes, kept


def choose_looks(
    names: Sequence[str], subsets: Mapping[Subset, Sequence[str]], unlabelled: int | None
) -> dict[Subset, list[str] | None]:
    """The hearts that may give looks: the labelled ones and the first ``unlabelled`` others; None for all."""
    if unlabelled is None:
        return dict.fromkeys(subsets)
    return {
        (place, seed): choose_labelled(names, min(len(names), len(labelled) + unlabelled), seed)
        for (place, seed), labelled in subsets.items()
    }


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a benchmark trains.

    Attributes:
        settings: the whole configuration, resolved.
        root: the data set's folder.
        hearts: names of the TRAIN hearts that the task can use.
        arms: configuration by name.
        notes: what to say about arms that were left out.
        subsets: names of the labelled hearts for each number of labels and seed.
        looks: names of the hearts that may give looks; None for all.
        share: rank of this process and how many there are: each does the seeds of its turn, whole.
    """

    settings: Settings
    root: Path
    hearts: Sequence[str]
    arms: Settings
    notes: list[str]
    subsets: Mapping[Subset, list[str]]
    looks: Mapping[Subset, list[str] | None]
    share: tuple[int, int] = (0, 1)

    @classmethod
    def of(cls, settings: Settings, root: Path, hearts: Sequence[str], share: tuple[int, int] = (0, 1)) -> "Design":
        """The design that a configuration asks for.

        Raises:
            EchoAugmentError: more labels than hearts.
        """
        notes, arms = choose_arms(settings["arm"], root)
        subsets = {
            (place, seed): choose_labelled(hearts, count_labels(labels, len(hearts)), seed)
            for place, labels in enumerate(settings["labels"])
            for seed in settings["seeds"]
        }
        looks = choose_looks(hearts, subsets, settings["unlabelled"])
        shared: dict[str, Any] = {"settings": settings, "root": root, "hearts": hearts}
        return cls(**shared, arms=arms, notes=notes, subsets=subsets, looks=looks, share=share)

    @property
    def out(self) -> Path:
        """Folder of the benchmark."""
        return Path(self.settings["out"])

    @property
    def donors(self) -> list[str]:
        """Names of all hearts that are labelled in any training: the only ones that give motion."""
        return sorted({name for labelled in self.subsets.values() for name in labelled})

    def kinds(self) -> list[str]:
        """The kinds of clips that arms need and that no ready cache gives."""
        return sorted({kind for spec in self.arms.values() if (kind := clips_of(spec))} - set(self.settings["caches"]))

    def at(self, place: int) -> list[Subset]:
        """This process's subsets of one number of labels: one for each seed, in turn."""
        rank, world = self.share
        return [subset for subset in self.subsets if subset[0] == place][rank::world]

    def folder(self, subset: Subset, arm: str) -> Path:
        """Where a training is kept."""
        labels = str(self.settings["labels"][subset[0]]).replace("/", "_")
        return self.out / "runs" / f"labels-{labels}" / f"{arm}-seed{subset[1]}"

    def training(
        self, kind: type[TrainingRun], subset: Subset, arm: str, spec: Settings, caches: Mapping[str, str]
    ) -> tuple[Path, TrainingRun]:
        """The folder of a training, and everything that decides it.

        Raises:
            EchoAugmentError: the arm learns from another one that is not trained here.
        """
        names = ("val_at_least", "device", "unlabelled")
        shared = {name: self.settings[name] for name in names}
        run = kind(
            root=str(self.root),
            arm=arm,
            spec=spec,
            labels=self.settings["labels"][subset[0]],
            seed=subset[1],
            caches=caches,
            teachers=self._teachers(subset, spec),
            model=object_from(self.settings["model"], ModelSettings),
            trainer=object_from(self.settings["trainer"], TrainerSettings),
            **shared,
        )
        return self.folder(subset, arm), run

    def _teachers(self, subset: Subset, spec: Settings) -> dict[str, str]:
        """The training, of the same labels and seed, that an arm learns from, by the name of its arm."""
        name = teacher_of(spec)
        if name is None:
            return {}
        if name not in self.arms:
            raise EchoAugmentError(
                f"an arm learns from the net of the arm {name}, which is not trained here", f"Add {name} to arm=[..]"
            )
        return {name: str(self.folder(subset, name))}
