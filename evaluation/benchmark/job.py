"""The job ``benchmark``: arms x label fractions x seeds, statistics and report."""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from echo_augment.augmentor.data import read_table, refuse_leaks
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.dataset import DataSettings, dataset_root
from echo_augment.training_recipes.common.ranks import AUTO, find_ranks
from echo_augment.training_recipes.common.reporting import machine, write_report
from echo_augment.training_recipes.common.settings import object_from, settings_from
from echo_augment.training_recipes.training.run import TrainingResult

from ..statistics.ef_summary import Results
from ..statistics.intervals import correct
from .caches import Caches, Load
from .design import Design, Settings, Subset, check_settings
from .ef_task import EfTask
from .own_generator import own_generator
from .segmentation_task import SegmentationTask
from .sweep import ablation_figures, cache_digest, doses, write_ablation
from .task import Task
from .trainings import count_workers, run_all

TASKS: Mapping[str, type[Task]] = {"ef": EfTask, "segmentation": SegmentationTask}
REAL = {"_target_": "echo_augment.training_recipes.arms.real"}


def run(cfg: DictConfig) -> None:
    """Train every arm with every number of labels and seed, compare, and write the report: JSON, HTML and Markdown."""
    if cfg.ablation is not None:
        if cfg.rank != AUTO:
            raise EchoAugmentError(f"an ablation is one process's work, got rank={cfg.rank}", "Leave rank= out")
        if cfg.task != "ef":
            raise EchoAugmentError(
                f"an ablation needs task=ef, got task={cfg.task}", "Run one benchmark for each value"
            )
        run_ablation(cfg)
        return
    ranks = find_ranks(os.environ, cfg.rank, cfg.world)
    if ranks.world > 1:
        run_share(cfg, (ranks.rank, ranks.world))
        return
    report = run_benchmark(cfg, "benchmark")
    print(report["verdict"])
    print(f"see {Path(cfg.out) / 'report.html'} and report.json beside it")


def run_ablation(cfg: DictConfig, load: Load | None = None) -> dict[str, Any]:
    """One benchmark for each value of a setting, and what they found side by side.

    Trainings and caches that a value does not change are done once. A killed ablation goes on where it stopped.

    Args:
        cfg: with ``ablation.key`` and ``ablation.values``.
        load: as for `run_benchmark`.

    Returns:
        What ``report.json`` holds.

    Raises:
        EchoAugmentError: bad settings, or as `run_benchmark`.
    """
    out, key = Path(cfg.out), str(cfg.ablation.key)
    root = str(dataset_root(settings_from(cfg.data, DataSettings)))
    chosen = doses(cfg, root)
    untrained = [dose for dose in chosen.values() if dose.generator.weights is None]
    if untrained:  # one generator for all doses
        weights = str(own_generator(OmegaConf.to_container(cfg, resolve=True), Path(root), out))  # type: ignore[arg-type]
        for dose in untrained:
            dose.generator.weights = weights
    reports: dict[str, dict[str, Any]] = {}
    for name, dose in chosen.items():
        print(f"{key} = {name}")
        others = [out / "doses" / before for before in reports]
        dose.out = str(out / "doses" / name)
        store = out / "caches" / cache_digest(OmegaConf.to_container(dose, resolve=True))  # type: ignore[arg-type]
        reports[name] = run_benchmark(dose, "benchmark", load, cache_root=store, others=others)
    path = write_report(out, "benchmark", cfg, ablation_figures(key, reports))
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    write_ablation(out, report, typed_overrides())
    print(f"see {out / 'report.html'} and report.json beside it; every value's own report is in {out / 'doses'}")
    return report


def run_benchmark(
    cfg: DictConfig,
    job: str,
    load: Load | None = None,
    *,
    cache_root: Path | None = None,
    others: Sequence[Path] = (),
) -> dict[str, Any]:
    """The benchmark without its last words.

    One number of labels is finished, up to its report, before the next begins, so that what a killed benchmark leaves
    is of use.

    Args:
        cfg: composed from ``conf/benchmark.yaml`` or ``conf/demo.yaml``.
        job: its name in the report.
        load: makes the generator; by default `echo_augment.augmentor.mcdm.clip_generator.load_generator`.
        cache_root: folder of the caches; by default ``caches`` in ``out``.
        others: folders of other benchmarks, whose trainings are copied where they are the very same.

    Returns:
        What ``report.json`` holds.

    Raises:
        EchoAugmentError: bad settings or data, a leak, or ``out`` holds another benchmark's trainings.
    """
    started = time.monotonic()
    task, design = _open(cfg, (0, 1))
    settings = design.settings
    stock = Caches(design, task, cache_root or design.out / "caches", load)
    caches: dict[Subset, dict[str, str]] = {}
    results: dict[Path, TrainingResult[Any]] = {}
    levels: list[dict[str, Any]] = []
    report: dict[str, Any] = {}
    for place in range(len(settings["labels"])):
        filled, own = _run_level(task, design, stock, place, others)
        caches |= filled
        results |= own
        measured = {name: settings[name] for name in ("level", "resamples")}
        levels.append({**_about(own), **task.summarise(list(own.values()), **measured)})
        correct(levels)
        figures = _figures(design, task, levels, results, stock)
        figures["minutes"] = (time.monotonic() - started) / 60
        path = write_report(design.out, job, cfg, figures)
        report = json.loads(path.read_text(encoding="utf-8"))
        task.write(design, report, caches, results)
    return report


def run_share(cfg: DictConfig, share: tuple[int, int], load: Load | None = None) -> int:
    """One process's share of a benchmark: fills and trainings of its seeds, no report.

    The same benchmark alone then finds them done and writes the report.

    Args:
        cfg: composed from ``conf/benchmark.yaml``.
        share: rank of this process and how many there are.
        load: as for `run_benchmark`.

    Returns:
        How many trainings this process has seen done.

    Raises:
        EchoAugmentError: as `run_benchmark`; or the generator is not trained yet, which is one process's work.
    """
    task, design = _open(cfg, share)
    if design.settings["generator"]["weights"] is None and "synthetic" in design.kinds():
        raise EchoAugmentError(
            "generator.weights=null: the generator cannot be trained by several processes that share a benchmark",
            "Train it first (echo-augment train-generator) and give generator.weights=FOLDER/generator",
        )
    stock = Caches(design, task, design.out / "caches", load)
    done = sum(len(_run_level(task, design, stock, place, ())[1]) for place in range(len(design.settings["labels"])))
    rank, world = share
    print(
        f"rank {rank} of {world}: its {done} trainings are done; when all ranks are, the same command without rank and "
        "world writes the report"
    )
    return done


def _open(cfg: DictConfig, share: tuple[int, int]) -> tuple[Task, Design]:
    """The task and the design of a benchmark, checked; phantoms are written where there are none."""
    settings: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    check_settings(settings, list(TASKS))
    task = TASKS[settings["task"]]()
    root = dataset_root(object_from(settings["data"], DataSettings))
    table = read_table(root)
    refuse_leaks(table.split("train"), [*table.split("val"), *table.split("test")])
    design = Design.of(settings, root, task.hearts(root), share)
    task.check(design)
    return task, design


def _run_level(
    task: Task, design: Design, stock: Caches, place: int, others: Sequence[Path]
) -> tuple[dict[Subset, dict[str, str]], dict[Path, TrainingResult[Any]]]:
    """Fill the caches and do the trainings of one number of labels."""
    settings, subsets = design.settings, design.at(place)
    workers = count_workers(settings["workers"], len(subsets) * len(design.arms), settings["trainer"]["threads"])

    def train(runs: Mapping[Path, Any]) -> dict[Path, TrainingResult[Any]]:
        elsewhere = {path: [other / path.relative_to(design.out) for other in others] for path in runs}
        return run_all(runs, workers=workers, elsewhere=elsewhere)

    teachers: dict[Subset, Path] = {}
    if task.needs_teachers(design):
        spec = design.arms.get("real", REAL)
        first = dict(design.training(task.run, subset, "real", spec, {}) for subset in subsets)
        print("nets of the arm real, which the making of synthetic clips needs:")
        train(first)
        teachers = dict(zip(subsets, first, strict=True))
    caches = stock.fill(place, teachers)
    return caches, train(
        dict(
            design.training(task.run, subset, arm, spec, caches[subset])
            for subset in subsets
            for arm, spec in design.arms.items()
        )
    )


def _about(results: Results) -> dict[str, Any]:
    """How many hearts are labelled."""
    some = min(results.values(), key=lambda result: result.labelled_hearts)
    count = some.labelled_hearts
    return {"label_fraction": count / some.train_hearts, "labelled_hearts": count}


def _figures(
    design: Design, task: Task, levels: Sequence[Mapping[str, Any]], results: Results, stock: Caches
) -> dict[str, Any]:
    """What the report says of the numbers of labels that are done."""
    settings, some = design.settings, next(iter(results.values()))
    notes = [*design.notes, *sorted({note for result in results.values() for note in result.notes})]
    if missing := settings["labels"][len(levels) :]:
        notes.append(f"Not finished: labels={missing} are still to come; the same command goes on.")
    counts = {"validation": some.validation_hearts, "test": len(some.predictions)}
    figures: dict[str, Any] = {
        "task": settings["task"],
        "data": settings["data"]["name"],
        "seeds": settings["seeds"],
        **levels[0],
        "level": settings["level"],
        "hearts": {"train": len(design.hearts), **counts},
        "steps": some.steps,
        "batch_size": some.batch_size,
        "fingerprint": stock.fingerprint,
        "clips": stock.fills,
        "skipped": skipped_videos(results.values(), stock.fills),
        "notes": notes,
        "overrides": typed_overrides(),
        "trainings": {"count": len(results), "seconds": sum(result.seconds for result in results.values())},
        "machine": machine(settings["device"]),
    }
    if len(levels) > 1:
        figures["fractions"] = list(levels)
    if settings.get("published"):
        figures["published"] = settings["published"]
    return {**figures, "verdict": task.verdict(figures)}


def typed_overrides() -> list[str]:
    """What was typed after the job's name; empty where the job was called from Python."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def skipped_videos(results: Iterable[TrainingResult[Any]], fills: Iterable[Settings]) -> list[tuple[str, str]]:
    """Videos that a reader left out, and those that the generator could not use as donors, each with its reason."""
    found = {(str(name), str(reason)) for result in results for name, reason in result.skipped}
    found |= {(str(item["name"]), str(item["reason"])) for one in fills for item in one["skipped"]}
    return sorted(found)
