"""Settings of ``echo-augment speed``."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from echo_augment.cache.arguments import check_number, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.dataset import FolderSettings
from echo_augment.training_recipes.common.inputs import check_dataset_folder, check_generator
from echo_augment.training_recipes.common.settings import JobSettings

TABLES = ("store", "loader", "live", "fill", "generator", "training")
VARIANTS = ("channels_last", "compile", "cuda_graphs")


@dataclass(kw_only=True)
class StoreSettings:
    """Table ``store``.

    Attributes:
        rounds: repetitions.
    """

    rounds: int = 200

    def __post_init__(self) -> None:
        check_whole("store.rounds", self.rounds, 1)


@dataclass(kw_only=True)
class LoaderSettings:
    """Table ``loader``.

    Attributes:
        rounds: repetitions of single items.
        epochs: repetitions of epochs.
        samples: items in an epoch.
        workers: of the ``DataLoader``; None for one a core.
    """

    rounds: int = 400
    epochs: int = 9
    samples: int = 160
    workers: int | None = None

    def __post_init__(self) -> None:
        for name in ("rounds", "epochs", "samples"):
            check_whole(f"loader.{name}", getattr(self, name), 1)
        if self.workers is not None:
            check_whole("loader.workers", self.workers)


@dataclass(kw_only=True)
class LiveSettings:
    """Table ``live``.

    Attributes:
        blocks: of four steps, as many beside the running generator as beside the stopped one.
    """

    blocks: int = 25

    def __post_init__(self) -> None:
        check_whole("live.blocks", self.blocks, 1)


@dataclass(kw_only=True)
class FillSettings:
    """Table ``fill``.

    Attributes:
        rounds: repetitions.
        clips: of the fill by one and by two processes, at least 2.
        wait: seconds a clip of its generator.
        written: clips written at once.
    """

    rounds: int = 5
    clips: int = 128
    wait: float = 0.05
    written: int = 32

    def __post_init__(self) -> None:
        for name, low in (("rounds", 1), ("clips", 2), ("written", 1)):
            check_whole(f"fill.{name}", getattr(self, name), low)
        check_number("fill.wait", self.wait, 0)


@dataclass(kw_only=True)
class TrainingSettings:
    """Table ``training``.

    Attributes:
        preset: whose denoiser is measured, one with a motion transport.
        rounds: batches that are drawn.
        teraflops: floating-point operations that the GPU does in a second in such a network, in 10^12.
    """

    preset: str = "base"
    rounds: int = 40
    teraflops: int | float = 400

    def __post_init__(self) -> None:
        check_whole("training.rounds", self.rounds, 1)
        check_number("training.teraflops", self.teraflops, 0, above_low=True)


@dataclass(kw_only=True)
class SpeedSettings(JobSettings):
    """Everything that ``echo-augment speed`` is told (``conf/speed.yaml``).

    Attributes:
        tables: ``all``, one of `TABLES`, or some: as a list, or as text with commas.
        quick: a few repetitions, to see that it runs.
        data: what is measured on; without a folder, phantoms that are written to ``out``.
        hearts: TRAIN videos to measure on, at most.
        generator: folder of a trained generator, Hub id, or ``bundled``.
        steps: of the sampler; None for the generator's own number.
        batch: clips generated at a time.
        rounds: repetitions of the table ``generator``.
        variants: other ways to run the generator (`VARIANTS`), as ``tables``; None for none.
        reference: time as many steps as the reference takes, 128, as well.
        store: see `StoreSettings`.
        loader: see `LoaderSettings`.
        live: see `LiveSettings`.
        fill: see `FillSettings`.
        training: see `TrainingSettings`.
    """

    tables: Any = "all"
    quick: bool = False
    data: FolderSettings = field(default_factory=FolderSettings)
    hearts: int = 16
    generator: str = "bundled"
    steps: int | None = None
    batch: int = 4
    rounds: int = 5
    variants: Any = field(default_factory=list)
    reference: bool = True
    store: StoreSettings = field(default_factory=StoreSettings)
    loader: LoaderSettings = field(default_factory=LoaderSettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    fill: FillSettings = field(default_factory=FillSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tables = choose_tables(self.tables)
        self.variants = choose_variants(self.variants, self.tables)
        for name in ("hearts", "batch", "rounds"):
            check_whole(name, getattr(self, name), 1)
        if self.steps is not None:
            check_whole("steps", self.steps)

    def check_inputs(self) -> None:
        """Look for the generator and the data set."""
        check_generator("generator", self.generator)
        check_dataset_folder(self.data.root)

    def shortened(self) -> "SpeedSettings":
        """Return the settings with a few repetitions, and without what takes minutes."""
        return replace(
            self,
            store=StoreSettings(rounds=5),
            loader=replace(self.loader, rounds=5, epochs=1, samples=8),
            live=LiveSettings(blocks=2),
            fill=FillSettings(rounds=1, clips=8, wait=0.01, written=2),
            training=replace(self.training, rounds=3),
            batch=1,
            rounds=1,
            reference=False,
        )


def choose_tables(wanted: str | Sequence[str]) -> list[str]:
    """Return the names of the tables in their order: all, one, or some.

    Raises:
        EchoAugmentError: there is no such table.
    """
    names = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    names = list(TABLES) if names == ["all"] else names
    unknown = [name for name in names if name not in TABLES]
    if unknown or not names:
        raise EchoAugmentError(
            f"there is no speed table {unknown[0] if unknown else ''!r}", f"There are: all, {', '.join(TABLES)}"
        )
    return [name for name in TABLES if name in names]


def choose_variants(wanted: str | Sequence[str] | None, tables: Sequence[str]) -> list[str]:
    """Return the names of the variants: none, one, or some.

    Raises:
        EchoAugmentError: there is no such variant, or the generator's table is not measured.
    """
    names = wanted.split(",") if isinstance(wanted, str) else list(wanted or [])
    for name in names:
        if name not in VARIANTS:
            raise EchoAugmentError(f"there is no variant {name!r}", f"There are: {', '.join(VARIANTS)}")
    if names and "generator" not in tables:
        raise EchoAugmentError(
            f"variants={names} are rows of the table generator, which is not measured", "Add it to tables="
        )
    return names
