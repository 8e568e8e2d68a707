"""What a live source needs before its process runs: how to make the generator, and which clips come next."""

import copy
import itertools
import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_augment.cache import PlanLine, make_plan
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.generator import DonorGenerator, SkippedDonor

from ..data import VideoInfo, read_table, refuse_leaks
from ..data.layouts.finding import DataFiles
from ..data.selection import openable
from ..data.splits import is_unseen
from ..devices import best_device
from ..wrapping import children, leaves, locate

if TYPE_CHECKING:
    from ..mcdm.clip_generator import ClipGenerator

BUNDLED = "bundled"


@dataclass(frozen=True, slots=True)
class _AsBytes:
    """Pickles to its value, without the open file for each tensor that processes share: a fork server takes 250."""

    value: object

    def __reduce__(self) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        return pickle.loads, (pickle.dumps(self.value),)


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneratorRecipe:
    """Makes the generator when called, in the process that will own its device.

    Args:
        pipeline: folder, Hub id, ``"bundled"``, or an ``MCDMPipeline`` on the CPU.
        rows: TRAIN videos by name.
        root: dataset folder whose TRAIN videos ``rows`` are, or None.
        tables: dataset folders or their tables, whose VAL and TEST videos must not be among ``rows``, under any name.
        device: device of the generator; ``"auto"`` takes the fastest.
        steps: number of sampler steps; None takes the generator's own number.
        sampler: ``"ddim"``, ``"dpm"`` or ``"ddpm"``; None for the generator's own.
        batch: number of clips made at a time.
        motion_donors: names that give motion and label; None takes every labelled video.
    """

    pipeline: Any
    rows: Mapping[str, VideoInfo]
    root: str | Path | None
    tables: Sequence[str | Path | DataFiles]
    device: str = "auto"
    steps: int | None = None
    sampler: str | None = None
    batch: int = 4
    motion_donors: Sequence[str] | None = None

    def __getstate__(self) -> object:
        return {**self.__dict__, "pipeline": _AsBytes(self.pipeline)}

    def __call__(self) -> "ClipGenerator":
        """Load the pipeline onto its device, and the table of donors.

        Raises:
            EchoAugmentError: a held-out video among the donors or among those that trained the generator.
        """
        from ..mcdm.clip_generator import ClipGenerator, load_generator
        from ..mcdm.fingerprint import hash_pipeline, hash_weights
        from ..mcdm.pipeline import BUNDLED as FOLDER
        from ..mcdm.pipeline import MCDMPipeline
        from ..mcdm.training_videos import refuse_trained_on

        device = best_device(self.device)
        named = isinstance(self.pipeline, str)
        if named and self.root is not None:
            return load_generator(
                self.pipeline,
                self.root,
                device=device,
                motion_donors=self.motion_donors,
                steps=self.steps,
                sampler=self.sampler,
                batch=self.batch,
            )
        rows, skipped = openable(self.rows.values())
        held_out = openable(
            row for root in self.tables for row in read_table(root).rows if is_unseen(row.split) and row.path.is_file()
        ).rows
        refuse_leaks(rows, held_out)
        pipeline = MCDMPipeline.load(self.pipeline) if named else self.pipeline
        loaded_from = self.pipeline if named else str(pipeline.config.get("_name_or_path") or "")
        origin = FOLDER if self.pipeline == BUNDLED else Path(loaded_from)  # holds the hashes of the training videos
        refuse_trained_on(origin, held_out)
        known = named and origin.is_dir()
        weights = hash_weights(origin) if known else self.pipeline if named else hash_pipeline(pipeline)
        pipeline.to(device)
        pipeline.set_progress_bar_config(disable=True)
        return ClipGenerator(
            pipeline,
            {row.name: row for row in rows},
            motion_donors=self.motion_donors,
            steps=self.steps,
            sampler=self.sampler,
            batch=self.batch,
            weights=weights,
            skipped=[SkippedDonor(one.name, one.reason) for one in skipped],
        )


def donor_rows(donors: Any) -> tuple[dict[str, VideoInfo], Path | None, list[DataFiles]]:
    """Return the donors by name, the folder whose TRAIN videos they are (or None), and all tables they come from.

    Args:
        donors: a dataset folder (its TRAIN split), an `EchoNetDynamic` of TRAIN or ``Subset``s of it, or videos by
            name. The folder of videos by name is unknown, so only their own ``split`` can be checked.

    Raises:
        EchoAugmentError: no donors, donors of another kind, or one of VAL or TEST.
    """
    root: Path | None = None
    tables: list[DataFiles] = []
    if isinstance(donors, str | Path):
        root = Path(donors)
        table = read_table(root)
        rows, tables = table.split("TRAIN"), [table.files]
    elif isinstance(donors, Mapping):
        rows = list(donors.values())
    elif hasattr(donors, "__len__") and all(hasattr(leaf, "rows") for leaf in leaves(donors)):
        for leaf in leaves(donors, known=True):
            if children(leaf):
                raise EchoAugmentError(
                    f"donors: {type(leaf).__name__} may serve other videos than the dataset inside it",
                    "Give the dataset itself, Subsets of it, or a dict of the VideoInfo of its videos by name",
                )
        rows = [leaf.rows[place] for leaf, place in (locate(donors, index) for index in range(len(donors)))]
        tables = list(dict.fromkeys(files for leaf in leaves(donors) if (files := getattr(leaf, "files", None))))
    else:
        rows = []
    if not rows or not all(isinstance(row, VideoInfo) for row in rows):
        raise EchoAugmentError(
            f"donors must be a dataset folder, an EchoNetDynamic or a dict of VideoInfo with videos in it, got "
            f"{type(donors).__name__}",
            'For instance donors="/data/EchoNet-Dynamic", whose TRAIN videos are taken',
        )
    refuse_leaks(rows, [])
    return {row.name: row for row in rows}, root, tables


def portable_pipeline(pipeline: Any) -> Any:
    """Return a name as text, or a copy of a pipeline on the CPU, which another process can get.

    Raises:
        EchoAugmentError: ``pipeline`` is neither a name nor a pipeline.
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
    """Return ``(T, H, W)`` of the clips that a pipeline makes, without loading its weights.

    Raises:
        EchoAugmentError: no pipeline in that folder or under that Hub id.
    """
    if not isinstance(pipeline, str):
        return _shape_in(pipeline.config)
    name = pipeline
    folder = Path(__file__).parents[1] / "mcdm" / "weights" / "tiny" if name == BUNDLED else Path(name)
    if (folder / "model_index.json").is_file():
        return _shape_in(json.loads((folder / "model_index.json").read_text(encoding="utf-8")))
    if folder.is_dir():
        raise EchoAugmentError(
            f"generator {name}: there is no model_index.json",
            "Name the folder that train-generator wrote (its generator/), a Hub id, or 'bundled'",
        )
    from ..mcdm.pipeline import MCDMPipeline  # takes seconds

    try:
        return _shape_in(MCDMPipeline.load_config(name))
    except (OSError, ValueError) as error:
        raise EchoAugmentError(
            f"generator {name!r} cannot be loaded ({error})", "Name a folder, a Hub id, or 'bundled'"
        ) from error


def _shape_in(config: Mapping[str, int]) -> tuple[int, int, int]:
    return int(config["frames"]), int(config["size"]), int(config["size"])


STRIDE = 0x1E3779B97F4A7C15  # odd and large: seeds of different rounds do not meet
ROUND = 1024  # lines of one plan


@dataclass(frozen=True, slots=True)
class Pairing:
    """Makes plan lines from a generator's donors, plan after plan, each with a seed of its own.

    Attributes:
        seed: seed of the pairing.
        rank: rank of the process in a distributed run; ranks never make the same clip.
        balance: ``"natural"`` or ``"uniform"``, as `echo_augment.cache.make_plan` has it.
    """

    seed: int = 0
    rank: int = 0
    balance: str = "natural"

    def lines(self, generator: DonorGenerator) -> Iterator[PlanLine]:
        """Yield lines without end: a pure function of the pairing and the donors."""
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
    """Yield the lines of a plan again and again; each round has other seeds and ids, and so other clips."""
    for turn in itertools.count():
        for line in lines:
            seed = (line.seed + turn * STRIDE) % 2**63
            yield line if turn == 0 else replace(line, clip_id=f"{line.clip_id}+{turn}", seed=seed)


def lines_for(generator: Any, wanted: Sequence[PlanLine] | Pairing) -> Iterator[PlanLine]:
    """Yield the lines of ``wanted`` without end."""
    return wanted.lines(generator) if isinstance(wanted, Pairing) else endless(wanted)
