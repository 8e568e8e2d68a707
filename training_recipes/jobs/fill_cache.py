"""The job ``fill-cache``: generates synthetic clips into a cache, offline and resumable."""

import os
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from echo_augment.augmentor.mcdm.masks import MaskGate
from echo_augment.cache import EchoAugmentError
from echo_augment.cache.gates import Gate
from echo_augment.cache.generator import DonorGenerator
from echo_augment.cache.system.progress import say

from ..common.dataset import dataset_files
from ..common.ranks import best_device, find_ranks, meet
from ..common.settings import register, settings_from
from ..filling.fill import FillReport, fill_from, report_fill
from ..filling.gates import make_gates
from ..filling.labels import labelled, masked
from ..filling.settings import FillSettings


def run(cfg: DictConfig, load: Callable[..., DonorGenerator] | None = None) -> None:
    """Fill the cache ``out`` with ``n`` clips that a generator makes from the TRAIN videos of ``data``.

    Args:
        cfg: the composed configuration of ``fill-cache``.
        load: makes the generator; by default `echo_augment.augmentor.mcdm.load_generator`, which also refuses donors of
            VAL or TEST.

    Raises:
        EchoAugmentError: no generator, teacher or data there, a leak, another fill's folder or gates, a full disk, or
            no clip made.
    """
    settings = settings_from(cfg, FillSettings)
    from echo_augment.augmentor.mcdm.clip_generator import load_generator

    out, ranks = Path(settings.out), find_ranks(os.environ, settings.rank, settings.world)
    root, device = dataset_files(settings.data), best_device(settings.device, ranks.local)
    maker: Callable[..., DonorGenerator] = load or load_generator
    told = {} if settings.token is None else {"ef": settings.token}
    generator = maker(
        settings.generator, root, device=device, steps=settings.steps, seed=settings.seed, on_error="skip", **told
    )
    mask_gates: list[Gate] = []
    if settings.masks.segmenter is not None:
        mask_gates = [MaskGate(float(settings.masks.at_least))]
        generator = masked(generator, settings.masks.segmenter, root, device=device)
    generator = labelled(generator, settings.label, root, device=device)  # last: masks are held against the donor's EF
    gates = make_gates(
        settings.gates,
        generator,
        root,
        out,
        device=device,
        ranks=ranks,
        others={"masks": float(settings.masks.at_least)} if mask_gates else None,
        say=say,
    )
    try:
        summary = fill_from(
            generator,
            out,
            n=settings.n,
            seed=settings.seed,
            balance=settings.balance,
            pairs=settings.pairs,
            reserve=settings.reserve,
            gates=[*gates.gates, *mask_gates],
            batch=settings.batch,
            shard_clips=settings.shard_clips,
            seal_seconds=settings.seal_seconds,
            compression=settings.compression,
            rank=ranks.rank,
            world=ranks.world,
            patience=ranks.patience,
            say=say,
        )
    finally:
        gates.readings.close()
    report = FillReport.of(summary, generator, settings.seed, ranks)
    line = report_fill(settings, summary, report, ranks, gates.figures)
    if summary.wanted and not summary.sealed:
        raise EchoAugmentError(f"no clip passed the gates ({summary})", f"The reasons are beside the cache, in {out}")
    print(line, flush=True)
    if ranks.rank:
        meet(ranks)


register("fill-cache", FillSettings)
