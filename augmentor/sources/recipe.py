"""What a live source needs to know before its process runs: how to make the generator, and which clips come next."""

import copy
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_augment.cache import PlanLine, make_plan
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.generator import DonorGenerator, SkippedDonor

from ..data import VideoInfo, read_table, refuse_leaks
from ..data.selection import openable
from ..data.splits import HELD_OUT
from ..devices import best_device
from ..wrapping import leaves, locate

if TYPE_CHECKING:
    from ..mcdm.clip_generator import ClipGenerator

BUNDLED = "bundled"


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneratorRecipe:
    """Makes the generator when called, in the process that is to own its device.

    Args:
        pipeline: folder, Hub id, ``"bundled"``, or an ``MCDMPipeline`` on the CPU.
        rows: TRAIN videos by name.
        root: the dataset folder that ``rows`` are all the TRAIN videos of, or None.
        tables: dataset folders whose VAL and TEST videos must not be among ``rows``, whatever their names there.
        device: of the generator; ``"auto"`` takes the best.
        steps: of the sampler; None: the generator's own number.
        sampler: ``"ddim"`` or ``"dpm"``.
        batch: clips generated together.
        motion_donors: names that give motion and label; None takes every labelled video.
    """

    pipeline: Any
    rows: Mapping[str, VideoInfo]
    root: str | Path | None
    tables: Sequence[str | Path]
    device: str = "auto"
    steps: int | None = None
    sampler: str = "ddim"
    batch: int = 4
    motion_donors: Sequence[str] | None = None

    def __call__(self) -> "ClipGenerator":
        """Load the pipeline onto its device and the donors' table.

        Raises:
            EchoAugmentError: a held-out video among the donors or among those that trained the generator.
        """
        from ..mcdm.clip_generator import ClipGenerator, load_generator
        from ..mcdm.fingerprint import hash_pipeline, hash_weights
        from ..mcdm.pipeline import BUNDLED as FOLDER
        from ..mcdm.pipeline import MCDMPipeline
        from ..mcdm.training_videos import refuse_trained_on

        options: dict[str, Any] = {"steps": self.steps, "sampler": self.sampler, "batch": self.batch}
        options["motion_donors"] = self.motion_donors
        device = best_device(self.device)
        named = isinstance(self.pipeline, str)
        if named and self.root is not None:
            return load_generator(self.pipeline, self.root, device=device, **options)
        rows, skipped = openable(self.rows.values())
        held_out = openable(
            row for root in self.tables for row in read_table(root).rows if row.split in HELD_OUT and row.path.is_file()
        ).rows
        refuse_leaks(rows, held_out)
        pipeline = MCDMPipeline.load(self.pipeline) if named else self.pipeline
        origin = FOLDER if self.pipeline == BUNDLED else Path(self.pipeline if named else _origin(pipeline))
        refuse_trained_on(origin, held_out)
        known = named and origin.is_dir()
        weights = hash_weights(origin) if known else self.pipeline if named else hash_pipeline(pipeline)
        pipeline.to(device)
        pipeline.set_progress_bar_config(disable=True)
        notes = [SkippedDonor(one.name, one.reason) for one in skipped]
        return ClipGenerator(pipeline, {row.name: row for row in rows}, weights=weights, skipped=notes, **options)


def donor_rows(donors: Any) -> tuple[dict[str, VideoInfo], Path | None, list[Path]]:
    """The donors by name; the folder they are all TRAIN videos of, if so; and the folders that they come from.

    Args:
        donors: a dataset folder (its TRAIN split), an `EchoNetDynamic` of TRAIN or ``Subset``s of it, or videos by
            name. Videos by name come from no known folder: only their own ``split`` can be checked.

    Raises:
        EchoAugmentError: no donors, donors of another kind, or one of VAL or TEST.
    """
    root: Path | None = None
    if isinstance(donors, str | Path):
        root = Path(donors)
        rows, tables = read_table(root).split("TRAIN"), [root]
    elif isinstance(donors, Mapping):
        rows, tables = list(donors.values()), []
    elif hasattr(donors, "__len__") and all(hasattr(leaf, "rows") for leaf in leaves(donors)):
        rows = [leaf.rows[place] for leaf, place in (locate(donors, index) for index in range(len(donors)))]
        tables = list(dict.fromkeys(Path(leaf.root) for leaf in leaves(donors) if leaf.root is not None))
    else:
        rows, tables = [], []
    if not rows or not all(isinstance(row, VideoInfo) for row in rows):
        raise EchoAugmentError(
            f"donors must be a dataset folder, an EchoNetDynamic or a dict of VideoInfo with videos in it, got "
            f"{type(donors).__name__}",
            'For instance donors="/data/EchoNet-Dynamic", whose TRAIN videos are taken',
        )
    refuse_leaks(rows, [])
    return {row.name: row for row in rows}, root, tables


def portable_pipeline(pipeline: Any) -> Any:
    """A name as text, or a copy of a pipeline on the CPU that can travel to another process.

    Raises:
        EchoAugmentError: it is neither.
    """
    if isinstance(pipeline, str | Path):
        return str(pipeline)
    if hasattr(pipeline, "components") and hasattr(pipeline, "encode_motion"):
        return copy.deepcopy(pipeline).to("cpu")
    raise EchoAugmentError(
        f"pipeline must be an MCDMPipeline, a folder, a Hub id or {BUNDLED!r}, got {type(pipeline).__name__}",
        "Or give a factory: a callable without arguments that makes (plan lines) -> clips, with plan lines as donors",
    )


def clip_shape(pipeline: Any) -> tuple[int, int, int]:
    """``(T, H, W)`` of the clips that a pipeline makes, without loading its weights.

    Raises:
        EchoAugmentError: no pipeline at that folder or Hub id.
    """
    config = _read_config(pipeline) if isinstance(pipeline, str) else pipeline.config
    return int(config["frames"]), int(config["size"]), int(config["size"])


def _read_config(name: str) -> Mapping[str, Any]:
    folder = Path(__file__).parents[1] / "mcdm" / "weights" / "tiny" if name == BUNDLED else Path(name)
    if (folder / "model_index.json").is_file():
        return dict(json.loads((folder / "model_index.json").read_text(encoding="utf-8")))
    if folder.is_dir():
        raise EchoAugmentError(
            f"generator {name}: there is no model_index.json",
            "Name the folder that train-generator wrote (its generator/), a Hub id, or 'bundled'",
        )
    from ..mcdm.pipeline import MCDMPipeline  # takes seconds

    try:
        return dict(MCDMPipeline.load_config(name))
    except (OSError, ValueError) as error:
        raise EchoAugmentError(
            f"generator {name!r} cannot be loaded ({error})", "Name a folder, a Hub id, or 'bundled'"
        ) from error


def _origin(pipeline: Any) -> str:
    """The folder or Hub id that a pipeline was loaded from; where the list of hearts that trained it lies."""
    return str(pipeline.config.get("_name_or_path") or "")


STRIDE = 0x1E3779B97F4A7C15  # odd and large: seeds of different rounds do not meet
ROUND = 1024  # lines of one plan


@dataclass(frozen=True, slots=True)
class Pairing:
    """How plan lines are made from a generator's donors, plan after plan, each with its own seed.

    Attributes:
        seed: of the pairing.
        rank: of the process in a distributed run; ranks never make the same clip.
        balance: ``"natural"`` or ``"uniform"``, as `echo_augment.cache.make_plan` has it.
    """

    seed: int = 0
    rank: int = 0
    balance: str = "natural"

    def lines(self, generator: DonorGenerator) -> Iterator[PlanLine]:
        """Endless lines, a pure function of the pairing and the donors."""
        for turn in itertools.count():
            words = np.random.SeedSequence([self.seed, self.rank, turn]).generate_state(1, np.uint64)
            plan = make_plan(
                generator.motion_donors,
                generator.appearance_donors,
                ROUND,
                seed=int(words[0] >> np.uint64(1)),
                balance=self.balance,
                reserve=0,
                sampler=generator.sampler,
                fingerprint=generator.fingerprint,
            )
            yield from plan.lines


def endless(lines: Sequence[PlanLine]) -> Iterator[PlanLine]:
    """The lines of a plan again and again; each further round has other seeds and ids, so other clips."""
    for turn in itertools.count():
        for line in lines:
            seed = (line.seed + turn * STRIDE) % 2**63
            yield line if turn == 0 else replace(line, clip_id=f"{line.clip_id}+{turn}", seed=seed)


def lines_for(generator: Any, wanted: Sequence[PlanLine] | Pairing) -> Iterator[PlanLine]:
    """The lines of ``wanted`` without an end."""
    return wanted.lines(generator) if isinstance(wanted, Pairing) else endless(wanted)
