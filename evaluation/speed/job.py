"""``echo-augment speed``: measures every speed table in one run; report.json, speed.md."""

import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf

from echo_augment.augmentor import LiveClips
from echo_augment.augmentor.devices import best_device
from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.training_recipes.common.reporting import write_report

from .material import Material, prepare
from .rows import PASS, SHORT, Table, machine_line, markdown, summary, terminal
from .variants import choose_variants

TABLES = ("store", "loader", "live", "fill", "generator")
QUICK: dict[str, Any] = {
    "store": {"rounds": 5},
    "loader": {"rounds": 5, "epochs": 1, "samples": 8},
    "live": {"blocks": 2},
    "fill": {"rounds": 1, "clips": 8, "wait": 0.01, "written": 2},
    "batch": 1,
    "rounds": 1,
    "reference": False,
}
"""What ``quick`` measures with, instead of the configuration's own numbers: a few repetitions."""


def run(cfg: DictConfig) -> None:
    """Measure ``cfg.tables``, print each when it is done, write ``report.json`` and ``speed.md``.

    Raises:
        EchoAugmentError: a table there is not, or data that cannot be used.
    """
    chosen, out = choose_tables(cfg.tables), Path(cfg.out)
    variants = choose_variants(cfg.variants, chosen, torch.device(best_device(cfg.device)))
    out.mkdir(parents=True, exist_ok=True)
    sizes = cast(DictConfig, OmegaConf.merge(cfg, QUICK)) if cfg.quick else cfg
    facts = machine()
    print(machine_line(facts))
    with tempfile.TemporaryDirectory(prefix=".speed-", dir=out) as work:
        material = prepare(cfg.data.root, out, Path(work), hearts=cfg.hearts, seed=cfg.seed)
        print(f"measured on {material.words}")
        tables = []
        for name in chosen:
            tables.append(measure(name, sizes, material, variants))
            print(f"\n{terminal(tables[-1])}", flush=True)
    rows = [row for table in tables for row in table.rows]
    with atomic_path(out / "speed.md") as temporary:
        temporary.write_text(markdown(tables, facts, material.words), encoding="utf-8")
    figures: dict[str, Any] = {
        "machine": facts,
        "data": material.words,
        "tables": {table.name: table.as_dict() for table in tables},
        "targets": {verdict: sum(row.verdict == verdict for row in rows) for verdict in (PASS, SHORT)},
        "seeds": [cfg.seed],
    }
    path = write_report(out, "speed", cfg, figures)
    rough = " (quick: too few repetitions to quote)" if cfg.quick else ""
    print(f"\n{summary(rows)}{rough}; see {path} and {out / 'speed.md'}")


def measure(name: str, cfg: DictConfig, material: Material, variants: Sequence[str] = ()) -> Table:
    """Measure one table. What a table needs is imported for it alone."""
    device = torch.device(best_device(cfg.device))
    if name == "store":
        from .store import store_table

        return store_table(material, **cfg.store)
    if name == "loader":
        from .loader import loader_table

        workers = cores() if cfg.loader.workers is None else cfg.loader.workers
        return loader_table(material, **{**cfg.loader, "workers": workers})
    if name == "live":
        from .live import live_table

        source = LiveClips(cfg.generator, material.root, device=str(device), steps=cfg.steps)
        return live_table(material, source, **cfg.live, device=device)
    if name == "fill":
        from .fill import fill_table

        return fill_table(material, **cfg.fill)
    from .generator import generator_table

    sizes = {"steps": cfg.steps, "batch": cfg.batch, "rounds": cfg.rounds, "variants": variants}
    return generator_table(material, generator=cfg.generator, slow=cfg.reference, device=device, **sizes)


def choose_tables(wanted: str | Sequence[str] | ListConfig) -> list[str]:
    """The names of the tables: ``all``, one, or some.

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


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """What of the machine and its software decides the figures; nothing that names it."""
    return {
        "cores": cores(),
        "processor": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "devices": [torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())],
        "torch_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
