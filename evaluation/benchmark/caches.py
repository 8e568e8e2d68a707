"""The caches that a benchmark's arms take their clips from: one for each labelled subset."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import Gate, PerClip, image_gate
from echo_augment.training_recipes.common.ranks import best_device
from echo_augment.training_recipes.common.reporting import plain
from echo_augment.training_recipes.filling.fill import Generator, fill_from

from .design import Design, Settings, Subset
from .own_generator import own_generator
from .task import Task

Load = Callable[..., Generator]


class Caches:
    """Fills caches; each generator is loaded once, when it is needed first.

    Args:
        design: of the benchmark.
        task: its task.
        folder: of the caches.
        load: makes the generator; None for `echo_augment.augmentor.mcdm.clip_generator.load_generator`.

    Attributes:
        fills: summaries of the fills so far.
        fingerprint: of the generator of synthetic clips; empty where there is none.
    """

    def __init__(self, design: Design, task: Task, folder: Path, load: Load | None) -> None:
        self.design, self.task, self.folder, self._load = design, task, folder, load
        self.fills: list[dict[str, Any]] = []
        self.fingerprint = ""
        self._generators: dict[str, Generator] = {}

    def fill(self, place: int, teachers: Mapping[Subset, Path]) -> dict[Subset, dict[str, str]]:
        """Fill the caches of one number of labels.

        Args:
            place: in the list of label counts.
            teachers: folder of the arm ``real``'s training, where the task needs it for synthetic clips.

        Returns:
            Folders by kind for each subset.
        """
        ready = {kind: str(folder) for kind, folder in self.design.settings["caches"].items()}
        found = {subset: dict(ready) for subset in self.design.at(place)}
        for kind in self.design.kinds():
            for subset, folders in found.items():
                teacher = teachers.get(subset) if kind == "synthetic" else None
                folders[kind] = str(self._fill_one(kind, subset, teacher))
        return found

    def _fill_one(self, kind: str, subset: Subset, teacher: Path | None) -> Path:
        design, settings, (place, seed) = self.design, self.design.settings, subset
        labels, labelled, looks = settings["labels"][place], design.subsets[subset], design.looks[subset]
        folder = self.folder / f"{self.task.prefix}{kind}-labels-{str(labels).replace('/', '_')}-seed{seed}"
        bare = self._generator(kind)
        seen = "all TRAIN looks" if looks is None else f"looks of {len(looks)} hearts"
        print(f"{kind} clips for seed {seed}: {len(labelled)} labelled motions, {seen}")
        summary = fill_subset(
            folder,
            self.task.dress(bare, design, subset, teacher),
            labelled,
            clips=settings["clips"],
            seed=seed,
            batch=settings["generator"]["batch"],
            looks=looks,
            gates=self.task.gates(bare, design, subset, teacher, folder),
        )
        about = {"kind": kind, "labels": labels, "seed": seed, "skipped": [one.to_json() for one in bare.skipped]}
        self.fills.append(plain({**about, **summary}))
        return folder

    def _generator(self, kind: str) -> Generator:
        if kind not in self._generators:
            design = self.design
            self._generators[kind] = (
                self.task.oracle(design.root)
                if kind == "oracle"
                else load_weights(design.settings, design.root, design.donors, self._load)
            )
            if kind == "synthetic":
                self.fingerprint = self._generators[kind].fingerprint
        return self._generators[kind]


def load_weights(settings: Settings, root: Path, motion_donors: list[str], load: Load | None) -> Generator:
    """The generator of the arm ``synthetic``; with ``generator.weights: null`` one of the data set's own is trained.

    Raises:
        EchoAugmentError: as `echo_augment.augmentor.mcdm.clip_generator.load_generator` and `own_generator`.
    """
    from echo_augment.augmentor.mcdm.clip_generator import load_generator

    weights = settings["generator"]["weights"]
    return (load or load_generator)(
        str(own_generator(settings, root, Path(settings["out"]))) if weights is None else weights,
        root,
        device=best_device(settings["device"]),
        steps=settings["generator"]["steps"],
        seed=settings["seed"],
        motion_donors=motion_donors,
        on_error="skip",
    )


class LabelledOnly:
    """A generator whose motion donors, which give the labels, are some labelled hearts only.

    Args:
        generator: with at least these motion donors.
        labelled: names of the hearts whose labels a run may know.
        looks: names of the hearts that may give looks; None for all that the generator has.

    Raises:
        EchoAugmentError: none of them is a motion donor of the generator.
    """

    def __init__(self, generator: Generator, labelled: Collection[str], looks: Collection[str] | None = None) -> None:
        self._generator = generator
        self.motion_donors: Mapping[str, float] = {
            name: ef for name, ef in generator.motion_donors.items() if name in set(labelled)
        }
        if not self.motion_donors:
            skipped = [one.to_json() for one in generator.skipped[:3]]
            raise EchoAugmentError(
                f"none of the {len(labelled)} labelled hearts can give motion: {skipped}",
                "Use more labelled hearts, or mend these videos (echo-augment doctor)",
            )
        donors = generator.appearance_donors
        self.appearance_donors: Sequence[str] = (
            donors if looks is None else [name for name in donors if name in set(looks)]
        )
        self.fingerprint, self.sampler, self.skipped = generator.fingerprint, generator.sampler, generator.skipped

    def __call__(self, lines: Sequence[PlanLine]) -> Sequence[EchoClip]:
        """The clips of some plan lines, in their order."""
        return self._generator(lines)


def fill_subset(
    folder: Path,
    generator: Generator,
    labelled: Collection[str],
    *,
    clips: int,
    seed: int,
    batch: int,
    looks: Collection[str] | None = None,
    gates: Sequence[Gate] = (PerClip(image_gate),),
) -> dict[str, Any]:
    """Fill ``folder`` with clips whose motions, and so labels, are of the labelled hearts only; resumable.

    Args:
        folder: of the cache.
        generator: makes the clips; its appearance donors may be any TRAIN hearts.
        labelled: names of the labelled hearts.
        clips: wanted.
        seed: of the pairing and the sampler's noise.
        batch: clips generated at a time.
        looks: names of the hearts that may give looks; None for all.
        gates: see `echo_augment.cache.fill`.

    Returns:
        The fill's summary.

    Raises:
        EchoAugmentError: no clip passed the gates, or as `echo_augment.cache.fill`.
    """
    donors = LabelledOnly(generator, labelled, looks)
    summary = fill_from(donors, folder, n=clips, seed=seed, batch=batch, gates=gates)
    if not summary.sealed:
        raise EchoAugmentError(
            f"no clip passed the gates ({summary})", f"The reasons are beside the cache, in {folder}"
        )
    return summary.to_json()
