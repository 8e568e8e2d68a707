"""Fill a cache from a generator's donors, and report what it did."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from echo_augment.cache import ClipStore, FillSummary, Plan, fill, make_plan
from echo_augment.cache.fill import PLAN
from echo_augment.cache.gates import Gate, PerClip, image_gate
from echo_augment.cache.generator import DonorGenerator
from echo_augment.cache.rejections import Rejections, count_reasons
from echo_augment.cache.system.files import JsonValue

from ..common.ranks import Ranks, meet
from ..common.reporting import REPORT, write_report
from .labels import LabelFigures
from .settings import FillSettings


def fill_from(
    generator: DonorGenerator,
    out: str | Path,
    *,
    n: int,
    seed: int = 0,
    balance: str = "natural",
    pairs: str = "others",
    reserve: float = 0.25,
    gates: Sequence[Gate] = (PerClip(image_gate),),
    **options: Any,
) -> FillSummary:
    """Plan ``n`` clips from a generator's donors and fill the cache ``out`` with them; resumable.

    Args:
        generator: makes the clips.
        out: folder of the cache.
        n: clips wanted.
        seed: seed of the plan.
        balance: ``natural`` (as the donors' EF are spread) or ``uniform`` (every stratum of EF equally often).
        pairs: ``others``, ``any`` or ``self``: whom a motion donor is paired with, see `echo_augment.cache.make_plan`.
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
        pairs=pairs,
        reserve=reserve,
        sampler=generator.sampler,
        fingerprint=generator.fingerprint,
    )
    return fill(plan, generator, out, gates=gates, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReport:
    """What ``report.json`` says of a fill, or of one process's share of it.

    Attributes:
        fingerprint: fingerprint of the generator.
        seeds: seed of the plan.
        skipped: videos that cannot be donors, with reasons.
        sampler: kind and steps.
        fill: what was made, or of several processes what all have made so far.
        donors: how many give ``motion`` and ``appearance``.
        rank: number of this process.
        world: processes that fill the cache together.
        ef: mean, spread and range of the EF of the cache's clips in percent; None without clips.
        label: the labels of the cache's clips; None without clips.
        gates: what the gates found; None in the report of a share.
    """

    fingerprint: str
    seeds: list[int]
    skipped: list[dict[str, str]]
    sampler: str
    fill: dict[str, JsonValue]
    donors: dict[str, int]
    rank: int
    world: int
    ef: dict[str, float] | None = None
    label: LabelFigures | None = None
    gates: dict[str, JsonValue] | None = None

    @classmethod
    def of(cls, summary: FillSummary, generator: DonorGenerator, seed: int, ranks: Ranks) -> "FillReport":
        """Return what one process has to report.

        Args:
            summary: what it did.
            generator: made the clips.
            seed: seed of the plan.
            ranks: which process this is.
        """
        return cls(
            fingerprint=summary.fingerprint,
            seeds=[seed],
            skipped=[one.to_json() for one in generator.skipped],
            sampler=generator.sampler,
            fill=summary.to_json(),
            donors={"motion": len(generator.motion_donors), "appearance": len(generator.appearance_donors)},
            rank=ranks.rank,
            world=ranks.world,
        )

    def of_cache(self, folder: Path) -> "FillReport":
        """Return this report with what is known of all clips of the cache."""
        store = ClipStore(folder)
        efs = store.ef
        if not len(efs):
            return self
        spread = {"mean": efs.mean(), "sd": efs.std(), "min": efs.min(), "max": efs.max()}
        return replace(
            self, ef={name: float(value) for name, value in spread.items()}, label=LabelFigures.of(store.tables())
        )

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields as plain JSON, without those that are None."""
        found: dict[str, JsonValue] = asdict(self)
        found["label"] = None if self.label is None else self.label.to_json()
        return {name: value for name, value in found.items() if value is not None}


def whole_plan(folder: Path, world: int) -> dict[str, JsonValue]:
    """Return what all processes together have made of a cache's plan so far.

    Args:
        folder: folder of the cache.
        world: processes that fill it.
    """
    plan = Plan.load(folder / PLAN)
    sealed = {line.clip_id for line in plan.lines + plan.reserve} & set(ClipStore(folder).ids)
    rejected = count_reasons(Rejections(folder, world=world).reasons)
    wanted = len(plan.lines)
    return {"wanted": wanted, "sealed": len(sealed), "complete": len(sealed) >= wanted, "rejected": rejected}


def report_fill(
    settings: FillSettings,
    summary: FillSummary,
    report: FillReport,
    ranks: Ranks,
    gates: Callable[[], dict[str, JsonValue]],
) -> str:
    """Write the reports of a fill and return the job's last line.

    One process alone writes ``<out>/report.json``. Of several, each writes ``<out>/rank-<k>-of-<n>/report.json``, and
    the first ``<out>/report.json`` as well, on all that is in the cache by then: under ``accelerate launch`` it waits
    for the others (each calls `meet` when its line is printed); the tasks of a job array may run at any time, so there
    the line says how far they are.

    Args:
        settings: of the job.
        summary: what this process did.
        report: the same for the report.
        ranks: which process this is.
        gates: finds what the gates of all processes have found so far; asked when the others are done.
    """
    folder, job = Path(settings.out), "fill-cache"
    skipped = f"; {len(report.skipped)} donors skipped" if report.skipped else ""
    if ranks.world == 1:
        whole = replace(report.of_cache(folder), gates=gates())
        write_report(folder, job, settings, whole.to_json())
        return f"{summary}{skipped}{label_words(whole)}; report: {folder / REPORT}"
    line, out = f"rank {ranks.rank} of {ranks.world}: {summary}{skipped}", folder
    write_report(share := folder / f"rank-{ranks.rank}-of-{ranks.world}", job, settings, report.to_json())
    if ranks.rank:
        return f"{line}; report: {share / REPORT}"
    meet(ranks)
    done = whole_plan(folder, ranks.world)
    whole = replace(report.of_cache(folder), fill=done, gates=gates())
    write_report(folder, job, settings, whole.to_json())
    line += f"; all ranks so far: {done['sealed']} of {done['wanted']}{label_words(whole)}"
    return f"{line}; report: {out / REPORT}"


def label_words(report: FillReport) -> str:
    """Return what the last line says of the labels; nothing if they are the donors' own."""
    text = "" if report.label is None else str(report.label)
    return f"; {text}" if text else ""
