"""Settings of ``echo-augment fidelity``."""

from dataclasses import dataclass, field

from echo_augment.augmentor.data.layouts.finding import DataFiles, find_files
from echo_augment.augmentor.mcdm.sampling import SAMPLERS
from echo_augment.cache.arguments import check_choice, check_number, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.dataset import DataSettings
from echo_augment.training_recipes.common.inputs import (
    check_dataset_folder,
    check_folders,
    check_generator,
    check_trainings,
)
from echo_augment.training_recipes.common.settings import JobSettings

from ..published.settings import MetricSettings
from .coverage import LEAST_VIDEOS
from .pairs import check_pairs

LEAST_CALIBRATED = 8  # pairs from which a label can be calibrated


@dataclass(kw_only=True)
class ReaderSettings:
    """The EF reader.

    Attributes:
        folder: where a reader is kept; None takes the bundled one, or trains one in ``out`` if that does not serve.
        clips: phantoms it learned from, at least.
        steps: optimiser steps it learned for, at least.
        teacher: with ``clips=FOLDER`` or ``data=echonet``: folder of a finished ``train-ef``, which reads in its place;
            None for the reader.
    """

    folder: str | None = None
    teacher: str | None = None
    clips: int = 6000
    steps: int = 5000

    def __post_init__(self) -> None:
        check_whole("reader.clips", self.clips, 1)
        check_whole("reader.steps", self.steps, 1)


@dataclass(kw_only=True)
class TracedSettings(DataSettings):
    """Videos with tracings, which say how far off the ED and ES frames found without labels are.

    With ``data=echonet`` or ``data=phantom`` the videos that the generator re-enacts; with ``clips=FOLDER`` the real
    videos that clips are held against.

    Attributes:
        name: ``echonet`` or ``phantom`` for re-enactment; empty for phantom pairs or ``clips=FOLDER``.
        root: folder in EchoNet-Dynamic's layout; None for none.
        limit: videos at most, and ready-made clips.
        split: of them, with ``clips=FOLDER`` and for re-enactment; ``all`` for the whole table.
    """

    name: str = ""
    root: str | None = None
    limit: int = 200
    split: str = "VAL"

    def files(self) -> DataFiles | None:
        """Return the tables and how they are read; None for none."""
        if self.root is None:
            return None
        return find_files(self.root, ef_unit=self.ef_unit, follow_links=self.follow_links)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("data.limit", self.limit, 1)


@dataclass(kw_only=True)
class FidelitySettings(JobSettings):
    """Everything that ``echo-augment fidelity`` is told (``conf/fidelity.yaml``).

    Attributes:
        clips: folder of ready-made clips, a cache or videos, which are measured in a generator's place; None to measure
            the generator.
        generator: folder of a trained generator, Hub id, or ``bundled``; with ``clips`` its re-ID model is used.
        pairs: pairs of phantoms, at least 2; at least 8 with ``amplitude`` or ``guidance``.
        steps: sampling steps; None for the generator's own number.
        sampler: ``ddim``, ``dpm`` or ``ddpm``.
        curve: numbers of steps to compare.
        amplitude: factors by which motion codes are scaled about the ED frame's.
        guidance: scales of classifier-free guidance on the motion.
        spread: seeds with which some pairs are sampled, to see how far clips differ by chance alone: 0 for none, or at
            least 2; None for 4 where there is a sampling step, else none.
        shown: pairs in the contact sheet and the GIF.
        extractor: features of the Fréchet distances: ``reader`` or ``package.module:function``.
        segmenter: folder of a finished ``train-segmentation``, whose masks are measured; None for none.
        reader: see `ReaderSettings`.
        data: see `TracedSettings`.
        metrics: with ``clips``: published metrics, FVD, FID, IS and LPIPS.
        training: dataset whose TRAIN videos trained the generator, for coverage and privacy; None for none.
        training_hearts: TRAIN videos of it at most, at least 8.
    """

    clips: str | None = None
    generator: str = "bundled"
    pairs: int = 200
    steps: int | None = None
    sampler: str = "ddim"
    curve: list[int] | None = field(default_factory=list)
    amplitude: list[float] | None = field(default_factory=list)
    guidance: list[float] | None = field(default_factory=list)
    spread: int | None = None
    shown: int = 6
    extractor: str = "reader"
    segmenter: str | None = None
    reader: ReaderSettings = field(default_factory=ReaderSettings)
    data: TracedSettings = field(default_factory=TracedSettings)
    metrics: MetricSettings = field(default_factory=MetricSettings)
    training: str | None = None
    training_hearts: int = 200

    @property
    def where(self) -> str:
        """The device, the CPU for ``auto``."""
        return "cpu" if self.device == "auto" else self.device

    def check_inputs(self) -> None:
        """Look for the generator, the clips, the data sets, the teacher and the segmenter."""
        check_folders("clips", [self.clips], "Give a cache, as fill-cache writes it, or a folder of videos")
        check_trainings("reader.teacher", [self.reader.teacher])
        check_generator("generator", self.generator)
        self.data.check_inputs()
        check_dataset_folder(self.training)
        check_trainings("segmenter", [self.segmenter])
        self.metrics.check_inputs()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("pairs", self.pairs, 2)
        check_pairs(self.pairs, self.seed)
        check_choice("sampler", self.sampler, list(SAMPLERS))
        if self.steps is not None:
            check_whole("steps", self.steps)
        for steps in self.curve or ():
            check_whole("curve", steps)
        for name in ("amplitude", "guidance"):
            for number in getattr(self, name) or ():
                check_number(name, number)
        if (self.amplitude or self.guidance) and self.pairs < LEAST_CALIBRATED:
            raise EchoAugmentError(
                f"amplitude and guidance are calibrated on pairs, and pairs={self.pairs} are too few",
                f"Take {LEAST_CALIBRATED} or more",
            )
        if self.clips is not None:
            if self.data.root is None:
                raise EchoAugmentError(
                    f"clips={self.clips}: there are no real videos to hold them against", "Add data.root=FOLDER"
                )
            for name in ("curve", "amplitude", "guidance", "segmenter"):
                if getattr(self, name):
                    raise EchoAugmentError(f"{name} needs a generator, and clips={self.clips} has none", "Leave it out")
        elif self.metrics.weights is not None:
            raise EchoAugmentError(
                "metrics.weights is for clips that are there, and clips=FOLDER is not given",
                "Give a folder of videos, or a cache of the generator's clips: echo-augment fill-cache",
            )
        elif self.data.name:
            for name in ("amplitude", "guidance", "training"):
                if getattr(self, name):
                    raise EchoAugmentError(f"{name} is measured on phantom pairs", "Leave it out, or data out")
        elif self.reader.teacher is not None:
            raise EchoAugmentError(
                "reader.teacher reads ready-made clips and re-enacted videos, and there are neither",
                "Give clips=FOLDER, or data=echonet data.root=FOLDER; phantoms are read by a reader of phantoms",
            )
        if self.spread:
            check_whole("spread", self.spread, 2)
        check_whole("shown", self.shown, 1)
        check_whole("training_hearts", self.training_hearts, LEAST_VIDEOS)
