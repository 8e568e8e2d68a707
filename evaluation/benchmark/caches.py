"""The caches that a benchmark's arms take their clips from: one for each labelled subset."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from echo_augment.augmentor.data.layouts.finding import DataFiles
from echo_augment.augmentor.sources.warp import WarpGenerator
from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import Gate, PerClip, image_gate
from echo_augment.cache.generator import DonorGenerator, WrappedGenerator
from echo_augment.cache.results import FillSummary
from echo_augment.cache.system.progress import say
from echo_augment.training_recipes.arms.specification import MAKINGS, TOLD, WARP, Making
from echo_augment.training_recipes.common.ranks import best_device
from echo_augment.training_recipes.filling.fill import fill_from

from ..report.content import CacheFigures, ClipsMade
from .design import Design, Subset
from .made import tell
from .own_generator import own_generator
from .settings import DesignSettings
from .task import Task

Load = Callable[..., DonorGenerator]
UNTOLD = Making()  # how clips are planned that the generator of the arm ``synthetic`` has no part in


class Caches:
    """Fills caches; each generator is loaded once, when it is needed first, whatever kinds of clips it makes.

    Args:
        design: of the benchmark.
        task: of the benchmark.
        folder: of the caches.
        load: makes the generator; None for `echo_augment.augmentor.mcdm.clip_generator.load_generator`.

    Attributes:
        fills: what was filled so far.
        fingerprint: of the generator of synthetic clips, or of several, in their order; empty without one.
        made: what made each kind of clips.
    """

    def __init__(self, design: Design, task: Task, folder: Path, load: Load | None) -> None:
        self.design, self.task, self.folder, self._load = design, task, folder, load
        self.fills: list[CacheFigures] = []
        self.made: list[ClipsMade] = []
        self._generators: dict[tuple[str, int], DonorGenerator] = {}
        self._loaded: dict[tuple[str, int | None], DonorGenerator] = {}  # by weights and steps: kinds share them
        self._weights: dict[tuple[bool, int], str] = {}  # own weights are looked after, and judged, once

    @property
    def fingerprint(self) -> str:
        """See the class."""
        known = {number: one.fingerprint for (kind, number), one in self._generators.items() if kind == "synthetic"}
        return ", ".join(known[number] for number in sorted(known))

    def fill(self, place: int, teachers: Mapping[Subset, Path]) -> dict[Subset, dict[str, str]]:
        """Fill the caches of one number of labels.

        Args:
            place: in the list of label counts.
            teachers: folder of the arm ``real``'s training, if the task needs it for clips that are not exact.

        Returns:
            Folders by kind for each subset.
        """
        found = {subset: dict(self.design.settings.caches) for subset in self.design.at(place)}
        taught = self.design.taught()
        for kind in self.design.kinds():
            for subset, folders in found.items():
                teacher = teachers.get(subset) if kind in taught else None
                folders[kind] = str(self._fill_one(kind, subset, teacher))
        return found

    def _fill_one(self, kind: str, subset: Subset, teacher: Path | None) -> Path:
        design, settings, (place, seed) = self.design, self.design.settings, subset
        labelled, donors = design.subsets[subset], design.appearance_donors[subset]
        folder = self.folder / f"{self.task.prefix}{kind}-labels-{design.labels_word(place)}-seed{seed}"
        bare = self._generator(kind, design.generator_of(seed) if kind in MAKINGS else 0)
        making = MAKINGS.get(kind, UNTOLD)
        seen = "all TRAIN videos" if donors is None else f"{len(donors)} videos"
        say(f"{kind} clips for seed {seed}: motion of {len(labelled)} labelled videos, appearance of {seen}")
        summary = fill_subset(
            folder,
            self.task.dress(bare, design, subset, teacher),
            labelled,
            clips=settings.clips,
            seed=seed,
            batch=settings.generator.batch,
            balance=making.balance,
            pairs=making.pairs,
            appearance_donors=donors,
            gates=self.task.gates(bare, design, subset, teacher, folder),
        )
        about = {"kind": kind, "labels": settings.labels[place], "seed": seed}
        skipped = [one.to_json() for one in bare.skipped]
        self.fills.append(CacheFigures.from_json({**about, "skipped": skipped, **summary.to_json()}))
        return folder

    def _generator(self, kind: str, number: int) -> DonorGenerator:
        if (kind, number) not in self._generators:
            design = self.design
            weights, found = "", None
            if kind == "oracle":
                found = self.task.oracle(design.root)
            elif kind == WARP:
                found = WarpGenerator.of(design.data, motion_donors=design.motion_donors)
            else:
                weights = self._weights_of(kind, number)
                which = weights, steps_of(design.settings, kind)
                if which not in self._loaded:
                    self._loaded[which] = load_weights(
                        design.settings, design.data, design.motion_donors, self._load, kind, weights
                    )
                found = self._loaded[which]
            self._generators[kind, number] = found
            self.made.append(tell(found, kind, weights, design, number))
        return self._generators[kind, number]

    def _weights_of(self, kind: str, number: int) -> str:
        key = kind == TOLD, number
        if key not in self._weights:
            self._weights[key] = weights_of(self.design, kind, number)
        return self._weights[key]


def weights_of(design: Design, kind: str, number: int) -> str:
    """Return the weights that make a kind of clips; with ``generator.weights: null`` they are trained first.

    Args:
        design: of the benchmark.
        kind: of the clips.
        number: of the generator, where several are trained.
    """
    given = design.settings.generator
    if kind == TOLD:
        return given.ef_conditioned or ""
    if given.weights is not None:
        return given.weights
    seed = None if given.seeds is None else given.seeds[number]
    return str(own_generator(design.settings, design.root, design.out, seed))


def steps_of(settings: DesignSettings, kind: str) -> int | None:
    """Return the steps that a kind of clips takes; None for the number that its generator was published with."""
    if kind not in MAKINGS:
        return None
    own = MAKINGS[kind].steps
    return settings.generator.steps if own is None else own


def load_weights(
    settings: DesignSettings, data: DataFiles, motion_donors: list[str], load: Load | None, kind: str, weights: str
) -> DonorGenerator:
    """Return the generator of a kind of clips.

    Raises:
        EchoAugmentError: as `echo_augment.augmentor.mcdm.clip_generator.load_generator`.
    """
    from echo_augment.augmentor.mcdm.clip_generator import load_generator

    return (load or load_generator)(
        weights,
        data,
        device=best_device(settings.device),
        steps=steps_of(settings, kind),
        seed=settings.seed,
        motion_donors=motion_donors,
        on_error="skip",
    )


class LabelledOnly(WrappedGenerator):
    """A generator whose motion donors, which give the labels, are some labelled videos only.

    Args:
        generator: with at least these motion donors.
        labelled: names of the videos whose labels a run may know.
        appearance_donors: names of the videos that may give appearance; None for all that the generator has.

    Raises:
        EchoAugmentError: none of the labelled videos is a motion donor of the generator.
    """

    def __init__(
        self, generator: DonorGenerator, labelled: Collection[str], appearance_donors: Collection[str] | None = None
    ) -> None:
        super().__init__(generator, "")
        known = set(labelled)
        self.motion_donors = {name: ef for name, ef in generator.motion_donors.items() if name in known}
        if not self.motion_donors:
            skipped = [one.to_json() for one in generator.skipped[:3]]
            raise EchoAugmentError(
                f"none of the {len(labelled)} labelled videos can give motion: {skipped}",
                "Use more labelled videos, or mend these (echo-augment doctor)",
            )
        if appearance_donors is not None:
            chosen = set(appearance_donors)
            self.appearance_donors = [name for name in generator.appearance_donors if name in chosen]

    def __call__(self, lines: Sequence[PlanLine]) -> Sequence[EchoClip]:
        """Return the clips of some plan lines, in their order."""
        return self.generator(lines)


def fill_subset(
    folder: Path,
    generator: DonorGenerator,
    labelled: Collection[str],
    *,
    clips: int,
    seed: int,
    batch: int,
    balance: str = "natural",
    pairs: str = "others",
    appearance_donors: Collection[str] | None = None,
    gates: Sequence[Gate] = (PerClip(image_gate),),
) -> FillSummary:
    """Fill ``folder`` with clips whose motion, and so labels, are of the labelled videos only; resumable.

    Args:
        folder: of the cache.
        generator: makes the clips.
        labelled: names of the labelled videos.
        clips: how many are wanted.
        seed: draws the pairing and the sampler's noise.
        batch: clips generated at a time.
        balance: of the clips' EF, see `echo_augment.cache.make_plan`.
        pairs: whom a motion donor is paired with, likewise.
        appearance_donors: names of the videos that may give appearance; None for all.
        gates: see `echo_augment.cache.fill`.

    Returns:
        What the fill did.

    Raises:
        EchoAugmentError: no clip passed the gates, or as `echo_augment.cache.fill`.
    """
    donors = LabelledOnly(generator, labelled, appearance_donors)
    summary = fill_from(donors, folder, n=clips, seed=seed, balance=balance, pairs=pairs, batch=batch, gates=gates)
    if not summary.sealed:
        raise EchoAugmentError(
            f"no clip passed the gates ({summary})", f"The reasons are beside the cache, in {folder}"
        )
    return summary
