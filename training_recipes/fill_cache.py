"""The job ``fill-cache``: generates synthetic clips into a cache, offline and resumable."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig
from tqdm import tqdm

from echo_augment.augmentor.mcdm.masks import MaskGate
from echo_augment.cache import EchoAugmentError, EchoClip, FillSummary, PlanLine, fill, make_plan
from echo_augment.cache.gates import AnyGate, image_gate

from .dataset import dataset_root
from .fill_report import report_fill
from .gates.make import make_gates
from .gates.settings import read_settings
from .label_fill import labelled, read_label
from .ranks import best_device, find_ranks, meet
from .seg_fill import masked


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
    def skipped(self) -> Sequence[Mapping[str, Any]]:
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
    gates: Sequence[AnyGate] = (image_gate,),
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
    figures: dict[str, Any] = {"fingerprint": summary.fingerprint, "seeds": [seed], "skipped": list(generator.skipped)}
    figures |= {"sampler": generator.sampler, "fill": summary.as_dict()}
    figures["donors"] = {"motion": len(generator.motion_donors), "appearance": len(generator.appearance_donors)}
    return figures


def run(cfg: DictConfig, load: Callable[..., Generator] | None = None) -> None:
    """Fill the cache ``cfg.out`` with ``cfg.n`` clips of ``cfg.generator``, made from the TRAIN clips of ``cfg.data``.

    Args:
        cfg: the composed configuration of ``fill-cache``.
        load: makes the generator; by default `echo_augment.augmentor.mcdm.load_generator`, which also refuses donors of
            VAL or TEST.

    Raises:
        EchoAugmentError: no generator, teacher or data there, a leak, another fill's folder or gates, a full disk, or
            no clip made.
    """
    from echo_augment.augmentor.mcdm.clip_generator import load_generator

    ranks = find_ranks(os.environ, cfg.rank, cfg.world)
    read_settings(cfg.gates)  # mistakes are said before anything is loaded
    label = read_label(cfg.label, cfg.gates.label)
    root, device = dataset_root(cfg.data), best_device(cfg.device, ranks.local)
    generator = (load or load_generator)(
        cfg.generator, root, device=device, steps=cfg.steps, seed=cfg.seed, on_error="skip"
    )
    mask_gates: list[AnyGate] = []
    if cfg.masks.segmenter is not None:
        mask_gates = [MaskGate(float(cfg.masks.at_least))]
        generator = masked(generator, cfg.masks.segmenter, root, device=device)
    generator = labelled(generator, label, root, device=device)  # last: masks are held against the donor's EF
    judges = make_gates(
        cfg.gates,
        generator,
        root,
        Path(cfg.out),
        device=device,
        rank=ranks.rank,
        world=ranks.world,
        others={"masks": float(cfg.masks.at_least)} if mask_gates else None,
        say=tqdm.write,
    )
    try:
        summary = fill_from(
            generator,
            cfg.out,
            n=cfg.n,
            seed=cfg.seed,
            balance=cfg.balance,
            reserve=cfg.reserve,
            gates=[*judges.gates, *mask_gates],
            batch=cfg.batch,
            shard_clips=cfg.shard_clips,
            seal_seconds=cfg.seal_seconds,
            compression=cfg.compression,
            rank=ranks.rank,
            world=ranks.world,
            patience=ranks.patience,
            say=tqdm.write,
        )
    finally:
        judges.readings.close()
    line = report_fill(cfg, summary, figures_of(summary, generator, cfg.seed), ranks, judges.figures)
    if summary.wanted and not summary.sealed:
        raise EchoAugmentError(
            f"no clip passed the gates ({summary})", f"The reasons are beside the cache, in {cfg.out}"
        )
    print(line, flush=True)
    if ranks.rank:
        meet(ranks)
