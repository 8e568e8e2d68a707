"""The design of a benchmark: which arms are trained with which labels and seeds, and where each training is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from echo_augment.augmentor.data.layouts.finding import DataFiles
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue
from echo_augment.training_recipes.arms.peer_clips import peer_notes, told_notes
from echo_augment.training_recipes.arms.specification import MAKINGS, TOLD, WARP, clips_of, teacher_of
from echo_augment.training_recipes.training.run import TrainingRun
from echo_augment.training_recipes.training.settings import recipe_of
from echo_augment.training_recipes.training.subsets import choose_labelled, count_labels

from .settings import DesignSettings

Subset = tuple[int, int]  # place in the list of label counts, seed
Arms = Mapping[str, Mapping[str, JsonValue]]
Run = TypeVar("Run", bound=TrainingRun)


def choose_arms(arms: Arms, root: Path) -> tuple[list[str], Arms]:
    """Return what to say about arms that cannot be trained on this data, and the others.

    Raises:
        EchoAugmentError: an arm's name has a ``-``, which joins two names in ``contrasts``.
    """
    for name in arms:
        if "-" in name:
            raise EchoAugmentError(f"an arm is called {name!r}: names of arms have no '-'", "Take '_' or '+'")
    phantoms = (root / "phantoms.json").exists()
    kept = {name: spec for name, spec in arms.items() if phantoms or clips_of(spec) != "oracle"}
    dropped = [name for name in arms if name not in kept]
    notes = [f"The arm {name} was left out: real videos have no exact counterfactual to render." for name in dropped]
    return notes, kept


def choose_appearance_donors(
    names: Sequence[str], subsets: Mapping[Subset, Sequence[str]], unlabelled: int | None
) -> dict[Subset, list[str] | None]:
    """Return the videos that may give appearance: the labelled ones and the first ``unlabelled`` others; None for
    all."""
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
        settings: of the job.
        data: the data set, and how its table is read.
        videos: names of the TRAIN videos that the task can use.
        arms: settings by name.
        notes: what to say about arms that were left out.
        subsets: names of the labelled videos for each number of labels and seed.
        appearance_donors: names of the videos that may give appearance; None for all.
        share: rank of this process and how many there are: each does the seeds of its turn, whole.
    """

    settings: DesignSettings
    data: DataFiles
    videos: Sequence[str]
    arms: Arms
    notes: list[str]
    subsets: Mapping[Subset, list[str]]
    appearance_donors: Mapping[Subset, list[str] | None]
    share: tuple[int, int] = (0, 1)

    @classmethod
    def of(
        cls, settings: DesignSettings, data: DataFiles, videos: Sequence[str], share: tuple[int, int] = (0, 1)
    ) -> "Design":
        """Return the design that settings ask for.

        Raises:
            EchoAugmentError: more labels than videos, or an arm of others' clips and neither these nor
                their generator.
        """
        notes, arms = choose_arms(settings.arm, data.root)
        notes += peer_notes(arms, settings.caches)
        notes += told_notes(arms, settings.generator.ef_conditioned is not None or TOLD in settings.caches)
        subsets = {
            (place, seed): choose_labelled(videos, count_labels(labels, len(videos)), seed)
            for place, labels in enumerate(settings.labels)
            for seed in settings.seeds
        }
        return cls(
            settings=settings,
            data=data,
            videos=videos,
            arms=arms,
            notes=notes,
            subsets=subsets,
            appearance_donors=choose_appearance_donors(videos, subsets, settings.unlabelled),
            share=share,
        )

    @property
    def root(self) -> Path:
        """The folder of the data set."""
        return self.data.root

    @property
    def out(self) -> Path:
        """The folder of the benchmark."""
        return Path(self.settings.out)

    @property
    def motion_donors(self) -> list[str]:
        """The names of all videos that are labelled in any training: the only ones that give motion."""
        return sorted({name for labelled in self.subsets.values() for name in labelled})

    @property
    def generators(self) -> int:
        """How many generators make the synthetic clips; the seeds get them in turn."""
        return len(self.settings.generator.seeds or (None,))

    def generator_of(self, seed: int) -> int:
        """Return which of the generators makes the clips of a seed."""
        return self.settings.seeds.index(seed) % self.generators

    def dealt(self) -> dict[str, list[int]]:
        """Return, of each arm with clips of several generators, which one every seed has, seeds in ascending order."""
        if self.generators == 1:
            return {}
        turns = [self.generator_of(seed) for seed in sorted(self.settings.seeds)]
        return {name: turns for name, spec in self.arms.items() if clips_of(spec) in self.made()}

    def made(self) -> set[str]:
        """Return the kinds of clips that are made here by ``generator.weights``."""
        return set(self.kinds()) & set(MAKINGS)

    def taught(self) -> set[str]:
        """Return the kinds of clips that are made here and whose labels or masks a net of this run has a say in."""
        return set(self.kinds()) & {*MAKINGS, WARP}

    def kinds(self) -> list[str]:
        """Return the kinds of clips that arms need and that no ready cache gives."""
        return sorted({kind for spec in self.arms.values() if (kind := clips_of(spec))} - set(self.settings.caches))

    def at(self, place: int) -> list[Subset]:
        """Return this process's subsets of one number of labels: one for each seed, in turn."""
        rank, world = self.share
        return [subset for subset in self.subsets if subset[0] == place][rank::world]

    def labels_word(self, place: int) -> str:
        """Return a number of labels as it stands in names of folders."""
        return str(self.settings.labels[place]).replace("/", "_")

    def folder(self, subset: Subset, arm: str) -> Path:
        """Return where a training is kept."""
        return self.out / "runs" / f"labels-{self.labels_word(subset[0])}" / f"{arm}-seed{subset[1]}"

    def training(
        self, kind: type[Run], subset: Subset, arm: str, spec: Mapping[str, JsonValue], caches: Mapping[str, str]
    ) -> tuple[Path, Run]:
        """Return the folder of a training, and everything that decides it.

        Raises:
            EchoAugmentError: the arm learns from another one that is not trained here.
        """
        settings = self.settings
        model, trainer = recipe_of(spec, settings.model, settings.trainer)
        run = kind(
            root=str(self.root),
            ef_unit=self.data.ef_unit,
            follow_links=self.data.follow_links,
            arm=arm,
            spec=spec,
            labels=settings.labels[subset[0]],
            seed=subset[1],
            model=model,
            trainer=trainer,
            val_at_least=settings.val_at_least,
            caches=caches,
            device=settings.device,
            unlabelled=settings.unlabelled,
            teachers=self._teachers(subset, spec),
        )
        return self.folder(subset, arm), run

    def _teachers(self, subset: Subset, spec: Mapping[str, JsonValue]) -> dict[str, str]:
        """Return the training, of the same labels and seed, that an arm learns from, by the name of its arm."""
        name = teacher_of(spec)
        if name is None:
            return {}
        if name not in self.arms:
            raise EchoAugmentError(
                f"an arm learns from the net of the arm {name}, which is not trained here", f"Add {name} to arm=[..]"
            )
        return {name: str(self.folder(subset, name))}
