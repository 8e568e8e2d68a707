"""The job ``benchmark``: arms x label fractions x seeds, statistics and report."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from echo_augment.cache.system.progress import say
from echo_augment.training_recipes.common.dataset import dataset_root
from echo_augment.training_recipes.common.ranks import find_ranks
from echo_augment.training_recipes.common.reporting import machine, plain, versions, write_report
from echo_augment.training_recipes.common.settings import register, settings_from
from echo_augment.training_recipes.training.run import TrainingResult

from ..report.content import (
    BenchmarkReport,
    CacheFigures,
    PrimaryAnswer,
    Published,
    Sizes,
    SweepReport,
    Trainings,
)
from ..report.sections import spelled, typed
from ..report.verdict import whole_verdict
from ..statistics.comparison import Precision, correct
from ..statistics.results import LevelFigures
from .caches import Caches, Load
from .design import Design, Subset
from .elsewhere import Columns, trained_elsewhere
from .level import open_design, run_level
from .own_generator import own_generator
from .primary import answer, correct_family
from .settings import BenchmarkSettings, DesignSettings, SweepSettings
from .study_settings import PrimarySettings
from .sweep import FOLDER, cache_digest, sweep_report, values_of, write_sweep_pages
from .task import Results, Task
from .tuning import tune


def run(cfg: DictConfig) -> None:
    """Train every arm with every number of labels and seed, compare, and write the report: JSON, HTML and Markdown."""
    settings = settings_from(cfg, BenchmarkSettings)
    out = Path(settings.out)
    if settings.sweep is not None:
        run_sweep(settings, settings.sweep)
        print(f"see {out / 'report.html'} and report.json beside it; every value's own report is in {out / FOLDER}")
        return
    ranks = find_ranks(os.environ, settings.rank, settings.world)
    if ranks.world > 1:
        run_share(settings, (ranks.rank, ranks.world))
        return
    report = run_benchmark(settings, "benchmark")
    print(report.verdict)
    print(f"see {out / 'report.html'} and report.json beside it")


def run_sweep(settings: BenchmarkSettings, sweep: SweepSettings, load: Load | None = None) -> SweepReport:
    """Run one benchmark for each value of a setting, and hold what they found side by side.

    Trainings and caches that a value does not change are done once. A killed sweep goes on where it stopped.

    Args:
        settings: of the job.
        sweep: the setting and its values.
        load: as for `run_benchmark`.

    Returns:
        What ``report.json`` holds.

    Raises:
        EchoAugmentError: bad settings, or as `run_benchmark`.
    """
    values_of(settings, sweep)  # a bad value is refused before phantoms are written
    out, root = Path(settings.out), dataset_root(settings.data)
    chosen = values_of(replace(settings, data=replace(settings.data, root=str(root))), sweep)
    if any(one.generator.weights is None for one in chosen.values()):  # the same generators for all values
        if settings.generator.seeds is None:
            weights = str(own_generator(settings, root, out))
            chosen = {name: with_weights(one, weights) for name, one in chosen.items()}
        else:
            chosen = {name: with_folder(one, out) for name, one in chosen.items()}
    reports: dict[str, BenchmarkReport] = {}
    for name, one in chosen.items():
        say(f"{sweep.key} = {name}")
        others = [out / FOLDER / before for before in reports]
        store = out / "caches" / cache_digest(one)
        own = replace(one, out=str(out / FOLDER / name))
        reports[name] = run_benchmark(own, "benchmark", load, cache_root=store, others=others)
    report = sweep_report(str(sweep.key), reports)
    config = OmegaConf.structured(settings)
    write_report(out, "benchmark", config, report.to_json())
    overrides = typed_overrides()
    again = typed("benchmark", overrides) if overrides else spelled("benchmark", report.data, config)
    write_sweep_pages(out, report, again)
    return report


def with_weights(settings: BenchmarkSettings, weights: str) -> BenchmarkSettings:
    """Return the settings with these weights, if they name none."""
    if settings.generator.weights is not None:
        return settings
    given = replace(settings.generator, weights=weights, also=None, folder=None)
    return replace(settings, generator=given)


def with_folder(settings: BenchmarkSettings, folder: Path) -> BenchmarkSettings:
    """Return the settings with generators that are trained in ``folder``, if they name no other place."""
    if settings.generator.folder is not None:
        return settings
    return replace(settings, generator=replace(settings.generator, folder=str(folder)))


def run_benchmark(
    settings: DesignSettings,
    job: str,
    load: Load | None = None,
    *,
    cache_root: Path | None = None,
    others: Sequence[Path] = (),
) -> BenchmarkReport:
    """Run a benchmark without its last words.

    One number of labels is finished, up to its report, before the next begins, so that what a killed benchmark leaves
    is of use.

    Args:
        settings: of the job.
        job: its name in the report.
        load: makes the generator; by default `echo_augment.augmentor.mcdm.clip_generator.load_generator`.
        cache_root: folder of the caches; by default ``caches`` in ``out``.
        others: folders of other benchmarks, whose trainings are copied if they are the very same.

    Returns:
        What ``report.json`` holds.

    Raises:
        EchoAugmentError: bad settings or data, a leak, or ``out`` holds another benchmark's trainings.
    """
    started = time.monotonic()
    asked = settings
    settings, tuned = tune(settings, load)
    task, design = open_design(settings, (0, 1))
    stock = Caches(design, task, cache_root or caches_of(settings), load)
    precision = Precision(level=settings.level, resamples=settings.resamples)
    columns, answers = Columns(task, design, precision), list[PrimaryAnswer]()
    caches: dict[Subset, dict[str, str]] = {}
    results: dict[Path, TrainingResult[Any]] = {}
    levels: list[LevelFigures] = []
    for place in range(len(settings.labels)):
        filled, own = run_level(task, design, stock, place, [*others, *map(Path, settings.borrow or ())])
        caches |= filled
        results |= own
        trained_elsewhere(design, columns.data)
        level = task.summarise(own, precision, design.dealt())
        levels = correct([*levels, level])
        columns.add(place, own, level)
        answers += answer(
            primary_of(settings), task, design, place, own, columns, labelled=level.labelled, precision=precision
        )
        report = replace(
            benchmark_report(job, design, task, levels, results, stock, (time.monotonic() - started) / 60),
            config=plain(OmegaConf.to_container(OmegaConf.structured(asked))),
            tests=tuple(columns.found.values()),
            tuning=tuned,
            primary=tuple(correct_family(answers)),
        )
        write_report(design.out, job, OmegaConf.structured(asked), report.to_json())
        task.write(design, report, caches, results)
    return report


def caches_of(settings: DesignSettings) -> Path:
    """Return where the caches of a benchmark are kept: in ``out``, or in ``store``, apart from those of others."""
    if settings.store is None:
        return Path(settings.out) / "caches"
    return Path(settings.store) / cache_digest(settings)


def primary_of(settings: DesignSettings) -> list[PrimarySettings]:
    """Return the questions that a benchmark declares primary."""
    return list(settings.primary or ()) if isinstance(settings, BenchmarkSettings) else []


def run_share(settings: DesignSettings, share: tuple[int, int], load: Load | None = None) -> int:
    """Do one process's share of a benchmark: fills and trainings of its seeds, no report.

    The same benchmark alone then finds them done and writes the report.

    Args:
        settings: of the job.
        share: rank of this process and how many there are.
        load: as for `run_benchmark`.

    Returns:
        How many trainings this process has seen done.

    Raises:
        EchoAugmentError: as `run_benchmark`.
    """
    task, design = open_design(tune(settings, load)[0], share)
    stock, others = Caches(design, task, caches_of(settings), load), [*map(Path, settings.borrow or ())]
    done = sum(len(run_level(task, design, stock, place, others)[1]) for place in range(len(settings.labels)))
    rank, world = share
    print(
        f"rank {rank} of {world}: its {done} trainings are done; when all ranks are, the same command without rank and "
        "world writes the report"
    )
    return done


def notes_of(computed: Mapping[str, int]) -> list[str]:
    """Return what to say if trainings were computed in several ways, by how many were in each."""
    if len(computed) < 2:
        return []
    listed = ", ".join(f"{count} in {words}" for words, count in sorted(computed.items()))
    return [f"The trainings were computed differently, which alone can change figures: {listed}."]


def benchmark_report(
    job: str,
    design: Design,
    task: Task,
    levels: Sequence[LevelFigures],
    results: Results,
    stock: Caches,
    minutes: float,
) -> BenchmarkReport:
    """Return the report on the numbers of labels that are done."""
    settings, some, first = design.settings, next(iter(results.values())), levels[0]
    notes = [*design.notes, *sorted({note for result in results.values() for note in result.notes})]
    computed = Counter(str(result.arithmetic or "unknown") for result in results.values())
    notes += notes_of(computed)
    if missing := settings.labels[len(levels) :]:
        notes.append(f"Not finished: labels={missing} are still to come; the same command goes on.")
    return BenchmarkReport(
        job=job,
        task=settings.task,
        data=settings.data.name,
        seeds=tuple(settings.seeds),
        label_fraction=first.label_fraction,
        labelled=first.labelled,
        arms=first.arms,
        contrasts=first.contrasts,
        recovered_gain=first.recovered_gain,
        gains=first.gains,
        crossings=first.crossings,
        level=settings.level,
        videos=Sizes(train=len(design.videos), validation=some.validation_hearts, test=len(some.predictions)),
        steps=some.steps,
        batch_size=some.batch_size,
        fingerprint=stock.fingerprint,
        clips=tuple(stock.fills),
        skipped=tuple(skipped_videos(results.values(), stock.fills)),
        notes=tuple(notes),
        verdict=whole_verdict(first, settings.level, task.judged),
        versions=versions(),
        config=plain(OmegaConf.to_container(OmegaConf.structured(settings))),
        overrides=tuple(typed_overrides()),
        trainings=Trainings(count=len(results), seconds=sum(result.seconds for result in results.values())),
        machine=machine(settings.device),
        arithmetic=tuple(sorted(computed)),
        minutes=minutes,
        fractions=tuple(levels) if len(levels) > 1 else (),
        published=tuple(Published(name=row.name, mae=row.mae) for row in settings.published),
        made=tuple(stock.made),
    )


def typed_overrides() -> list[str]:
    """Return what was typed after the job's name; empty if the job was called from Python."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def skipped_videos(results: Iterable[TrainingResult[Any]], fills: Iterable[CacheFigures]) -> list[tuple[str, str]]:
    """Return videos that a reader left out, and those that cannot be donors, each with its reason."""
    found = {(str(name), str(reason)) for result in results for name, reason in result.skipped}
    found |= {(item.name, item.reason) for one in fills for item in one.skipped}
    return sorted(found)


register("benchmark", BenchmarkSettings)
