"""Fill a cache from a generator's donors, and report what it did."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig

from echo_augment.cache import ClipStore, EchoClip, FillSummary, Plan, PlanLine, fill, make_plan
from echo_augment.cache.fill import PLAN
from echo_augment.cache.gates import Gate, PerClip, image_gate
from echo_augment.cache.generator import SkippedDonor
from echo_augment.cache.rejections import Rejections, count_reasons

from ..common.ranks import Ranks, meet
from ..common.reporting import write_report
from .labels import label_figures, label_words


class Generator(Protocol):
    """What a fill needs of a generator; ``echo_augment.augmentor.mcdm.clip_generator.ClipGenerator`` is one.

    Attributes:
        motion_donors: EF in percent by name, of the labelled TRAIN clips.
        appearance_donors: names of all TRAIN clips.
        fingerprint: hash of weights, preset, donors and code version.
        sampler: for instance ``"ddim-8"``.
        skipped: donors that could not be used, with reasons.
    """

    fingerprint: str
    sampler: str

    @property
    def motion_donors(self) -> Mapping[str, float]:
        """EF by name."""

    @property
    def appearance_donors(self) -> Sequence[str]:
        """Names."""

    @property
    def skipped(self) -> Sequence[SkippedDonor]:
        """Names and reasons."""

    def __call__(self, lines: Sequence[PlanLine]) -> Sequence[EchoClip]:
        """The clips of some plan lines, in their order."""


def fill_from(
    generator: Generator,
    out: str | Path,
    *,
    n: int,
    seed: int = 0,
    balance: str = "natural",
    reserve: float = 0.25,
    gates: Sequence[Gate] = (PerClip(image_gate),),
    **options: Any,
) -> FillSummary:
    """Plan ``n`` clips from a generator's donors and fill the cache ``out`` with them; resumable.

    Args:
        generator: see `Generator`.
        out: folder of the cache.
        n: clips wanted.
        seed: of the plan.
        balance: ``natural`` (as the donors' EF are spread) or ``uniform`` (every stratum of EF equally often).
        reserve: spare plan lines as a share of ``n``.
        gates: see `echo_augment.cache.fill`.
        **options: ``batch``, ``shard_clips``, ``seal_seconds``, ``compression``, ``progress``, ``rank``, ``world``,
            ``patience``, ``say``, as for `echo_augment.cache.fill`.

    Raises:
        EchoAugmentError: as `make_plan` and `fill`.
    """
    plan = make_plan(
        generator.motion_donors,
        generator.appearance_donors,
        n,
        seed=seed,
        balance=balance,
        reserve=reserve,
        sampler=generator.sampler,
        fingerprint=generator.fingerprint,
    )
    return fill(plan, generator, out, gates=gates, **options)


def figures_of(summary: FillSummary, generator: Generator, seed: int) -> dict[str, Any]:
    """What the report says about a fill."""
    skipped = [one.to_json() for one in generator.skipped]
    figures: dict[str, Any] = {"fingerprint": summary.fingerprint, "seeds": [seed], "skipped": skipped}
    figures |= {"sampler": generator.sampler, "fill": summary.to_json()}
    figures["donors"] = {"motion": len(generator.motion_donors), "appearance": len(generator.appearance_donors)}
    return figures


def whole_plan(folder: Path, world: int) -> dict[str, Any]:
    """What all processes together have made of a cache's plan so far.

    Args:
        folder: of the cache.
        world: processes that fill it.
    """
    plan = Plan.load(folder / PLAN)
    sealed = {line.clip_id for line in plan.lines + plan.reserve} & set(ClipStore(folder).ids)
    rejected = count_reasons(Rejections(folder, world=world).reasons)
    wanted = len(plan.lines)
    return {"wanted": wanted, "sealed": len(sealed), "complete": len(sealed) >= wanted, "rejected": rejected}


def report_fill(
    cfg: DictConfig,
    summary: FillSummary,
    figures: dict[str, Any],
    ranks: Ranks,
    shared: Callable[[], dict[str, Any]] = dict,
) -> str:
    """Write the reports of a fill and return the job's last line.

    One process alone writes ``<out>/report.json``. Of several, each writes ``<out>/rank-<k>-of-<n>/report.json``, and
    the first ``<out>/report.json`` as well, on all that is in the cache by then: under ``accelerate launch`` it waits
    for the others (each calls `meet` when its line is printed); the tasks of a job array may run at any time, so there
    the line says how far they are.

    Args:
        cfg: the composed configuration of ``fill-cache``.
        summary: of this process.
        figures: of this process.
        ranks: which process this is.
        shared: figures of all processes so far; asked for when the others are done.
    """
    folder, job = Path(cfg.out), "fill-cache"
    skipped = f"; {len(figures['skipped'])} donors skipped" if figures["skipped"] else ""
    figures = {**figures, "rank": ranks.rank, "world": ranks.world}
    if ranks.world == 1:
        whole = figures | stored(folder) | shared()
        return f"{summary}{skipped}{words(whole)}; report: {write_report(folder, job, cfg, whole)}"
    line = f"rank {ranks.rank} of {ranks.world}: {summary}{skipped}"
    path = write_report(folder / f"rank-{ranks.rank}-of-{ranks.world}", job, cfg, figures)
    if ranks.rank == 0:
        meet(ranks)
        whole = whole_plan(folder, ranks.world)
        figures |= {"fill": whole, **stored(folder), **shared()}
        path = write_report(folder, job, cfg, figures)
        line += f"; all ranks so far: {whole['sealed']} of {whole['wanted']}{words(figures)}"
    return f"{line}; report: {path}"


def stored(folder: Path) -> dict[str, Any]:
    """Figures ``ef``, how the EF of a cache's clips in percent are spread, and ``label``; none of an empty one."""
    store = ClipStore(folder)
    efs = store.ef
    if not len(efs):
        return {}
    spread = {"mean": efs.mean(), "sd": efs.std(), "min": efs.min(), "max": efs.max()}
    return {"ef": spread, "label": label_figures(store.tables())}


def words(figures: Mapping[str, Any]) -> str:
    """What the last line says of the labels; empty with the donors' own."""
    text = label_words(figures.get("label", {}))
    return f"; {text}" if text else ""
