"""The job ``fill-cache``: generates synthetic clips into a cache, offline and resumable."""

import os
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig
from tqdm import tqdm

from echo_augment.augmentor.mcdm.masks import MaskGate
from echo_augment.cache import EchoAugmentError
from echo_augment.cache.gates import Gate

from ..common.dataset import DataSettings, dataset_root
from ..common.ranks import best_device, find_ranks, meet
from ..common.settings import settings_from
from ..filling.fill import Generator, figures_of, fill_from, report_fill
from ..filling.gates import make_gates
from ..filling.labels import labelled, masked, read_label
from ..filling.settings import read_settings


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
    root, device = dataset_root(settings_from(cfg.data, DataSettings)), best_device(cfg.device, ranks.local)
    generator = (load or load_generator)(
        cfg.generator, root, device=device, steps=cfg.steps, seed=cfg.seed, on_error="skip"
    )
    mask_gates: list[Gate] = []
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
