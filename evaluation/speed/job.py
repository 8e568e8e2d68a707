"""``echo-augment speed``: measures the speed tables in one run; report.json, speed.md."""

import os
import platform
import tempfile
from pathlib import Path

import torch
from omegaconf import DictConfig

from echo_augment.augmentor import LiveClips
from echo_augment.augmentor.devices import best_device
from echo_augment.cache import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.cache.system.processes import usable_cores
from echo_augment.cache.system.progress import say
from echo_augment.training_recipes.common.reporting import write_report
from echo_augment.training_recipes.common.settings import register, settings_from

from .material import Material, prepare
from .rows import PASS, SHORT, Surroundings, Table, markdown, summary, terminal
from .settings import SpeedSettings


def run(cfg: DictConfig) -> None:
    """Measure the tables that are asked for, print each when it is done, write ``report.json`` and ``speed.md``.

    Raises:
        EchoAugmentError: a setting is wrong, or the data cannot be used.
    """
    settings = settings_from(cfg, SpeedSettings)
    device = torch.device(best_device(settings.device))
    if "cuda_graphs" in settings.variants and device.type != "cuda":
        raise EchoAugmentError("the variant cuda_graphs needs a GPU", "Leave it out of variants=")
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    machine = describe_machine()
    say(str(machine))
    with tempfile.TemporaryDirectory(prefix=".speed-", dir=out) as work:
        material = prepare(settings.data.files(), out, Path(work), videos=settings.hearts, seed=settings.seed)
        say(f"measured on {material.words}")
        tables = []
        for name in settings.tables:
            tables.append(measure(name, settings.shortened() if settings.quick else settings, material, device))
            say(f"\n{terminal(tables[-1])}")
    with atomic_path(out / "speed.md") as temporary:
        temporary.write_text(markdown(tables, machine, material.words), encoding="utf-8")
    rows = [row for table in tables for row in table.rows]
    figures = {
        "machine": machine.to_json(),
        "data": material.words,
        "tables": {table.name: table.to_json() for table in tables},
        "targets": {verdict: sum(row.verdict == verdict for row in rows) for verdict in (PASS, SHORT)},
        "seeds": [settings.seed],
    }
    write_report(out, "speed", cfg, figures)
    rough = " (quick: too few repetitions to quote)" if settings.quick else ""
    print(f"\n{summary(rows)}{rough}; see {out / 'report.json'} and {out / 'speed.md'}")


def measure(name: str, settings: SpeedSettings, material: Material, device: torch.device) -> Table:
    """Measure one table. What a table needs is imported for it alone."""
    if name == "store":
        from .store import store_table

        return store_table(material, settings.store)
    if name == "loader":
        from .loader import loader_table

        workers = settings.loader.workers
        return loader_table(material, settings.loader, usable_cores() if workers is None else workers)
    if name == "live":
        from .live import live_table

        source = LiveClips(settings.generator, material.root, device=str(device), steps=settings.steps)
        return live_table(material, source, settings.live.blocks, device)
    if name == "fill":
        from .fill import fill_table

        return fill_table(material, settings.fill)
    if name == "training":
        from .training import training_table

        return training_table(material.work, settings.training)
    from .generator import generator_table

    return generator_table(material, settings, device)


def describe_machine() -> Surroundings:
    """Return what of this machine and its software decides the figures."""
    return Surroundings(
        cores=usable_cores(),
        processor=f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        devices=[torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())],
        torch_threads=torch.get_num_threads(),
        torch=torch.__version__,
        python=platform.python_version(),
    )


register("speed", SpeedSettings)
