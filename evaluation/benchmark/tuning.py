"""The choice of settings of arms on videos that are never reported: ``tune=`` of a benchmark."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import read_table
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json
from echo_augment.cache.system.locks import FolderLock
from echo_augment.cache.system.progress import say
from echo_augment.training_recipes.arms.specification import MAKINGS, clips_of, teacher_of
from echo_augment.training_recipes.common.dataset import DataSettings, dataset_files, dataset_root
from echo_augment.training_recipes.common.reporting import plain
from echo_augment.training_recipes.common.settings import object_from

from ..report.content import TunedValue, Tuning
from .caches import Caches, Load
from .design import Arms
from .elsewhere import refuse_seen, there
from .level import open_design, run_level
from .own_generator import PATIENCE, own_generator
from .settings import BenchmarkSettings, DesignSettings
from .study_settings import GridSettings, TuneSettings
from .sweep import cache_digest, with_value
from .task import Results

FOLDER, CHOICES = "tuning", "choices.json"


def tune(settings: DesignSettings, load: Load | None = None) -> tuple[DesignSettings, tuple[Tuning, ...]]:
    """Choose the settings of arms that ``tune`` asks for; return the settings with them, and how they were chosen.

    The arms are tuned one after another, each with what was chosen before and with the arms that it learns from. A
    killed tuning goes on with the trainings that are missing; of processes that share a benchmark one tunes, the others
    wait and read what it found.

    Args:
        settings: of the benchmark.
        load: makes the generator.

    Raises:
        EchoAugmentError: a grid of an arm that is not trained, or a video of the tuning set is among those that
            `refuse_reported` names; or as a benchmark.
    """
    if not isinstance(settings, BenchmarkSettings) or settings.tune is None:
        return settings, ()
    asked: TuneSettings = settings.tune
    for arm in asked.grid:
        if arm not in settings.arm:
            raise EchoAugmentError(f"tune.grid.{arm}: there is no arm {arm} here", f"Add it to arm=[..]: {arm}")
    out, found = Path(settings.out) / FOLDER, list[Tuning]()
    for folder in asked.of or ():
        taken = [one for one in choices_of(Path(folder)) if one.arm not in asked.grid]
        for one in taken:
            settings = choose(settings, one.arm, one.key, one.also, one.setting)
        found += taken
    if not asked.grid:
        return settings, keep(out, found)
    with FolderLock(out / ".lock", PATIENCE):
        base = tuning_settings(settings, asked, out)
        refuse_reported(settings, base)
        for arm, grid in asked.grid.items():
            own = replace(base, arm={name: base.arm[name] for name in with_teachers(arm, base.arm)})
            tuned, chosen = try_values(own, arm, grid, out, load)
            found.append(tuned)
            base, settings = (choose(each, arm, grid.key, grid.also, chosen) for each in (base, settings))
    return settings, keep(out, found)


def keep(out: Path, found: Sequence[Tuning]) -> tuple[Tuning, ...]:
    """Write what was chosen to ``choices.json``, for benchmarks that take it over, and return it."""
    write_json(out / CHOICES, {"tuning": [one.to_json() for one in found]})
    return tuple(found)


def choices_of(folder: Path) -> list[Tuning]:
    """Return what another benchmark chose; its trainings need not be finished.

    Raises:
        EchoAugmentError: it has not tuned yet.
    """
    path = folder / FOLDER / CHOICES
    if not path.is_file():
        raise EchoAugmentError(f"tune.of={folder}: {path} is missing", "Run that benchmark first, with tune=")
    found = [Tuning.from_json(one) for one in json.loads(path.read_text(encoding="utf-8"))["tuning"]]
    return [replace(one, taken_from=one.taken_from or str(folder)) for one in found]


def tuning_settings(settings: BenchmarkSettings, asked: TuneSettings, out: Path) -> BenchmarkSettings:
    """Return the settings of the benchmarks on the tuning set: those of the benchmark but for what ``tune`` says.

    Args:
        settings: of the benchmark.
        asked: what is tuned.
        out: folder of the tuning; phantoms are written there unless ``tune.data`` names a folder.
    """
    data = {**asdict(settings.data), "root": str(out / "phantom"), **asked.data}
    generator = settings.generator
    needed = {clips_of(settings.arm[name]) for arm in asked.grid for name in with_teachers(arm, settings.arm)}
    if generator.weights is None and needed & set(MAKINGS):  # the run's own, the first of several: its videos are
        seed = None if generator.seeds is None else generator.seeds[0]  # TRAIN's, and none of them is judged here
        weights = own_generator(settings, dataset_root(settings.data), Path(settings.out), seed)
        generator = replace(generator, weights=str(weights), seeds=None, also=None, folder=None)
    elif generator.weights is None:
        generator = replace(generator, weights="bundled", seeds=None, also=None, folder=None)
    return replace(
        settings,
        data=object_from(data, DataSettings),
        labels=settings.labels[:1] if asked.labels is None else [asked.labels],
        seeds=settings.seeds if asked.seeds is None else asked.seeds,
        clips=settings.clips if asked.clips is None else asked.clips,
        generator=generator,
        tune=None,
        primary=None,
        test={},
        borrow=None,
        store=None,
        caches={},
    )


def refuse_reported(settings: BenchmarkSettings, base: BenchmarkSettings) -> None:
    """Raise if a video of the tuning set is in VAL or TEST of the benchmark, or a TEST video of a further data set.

    Raises:
        EchoAugmentError: naming it.
    """
    table, further = read_table(dataset_files(settings.data)), [read_table(one) for one in settings.tests.values()]
    rows = read_table(dataset_files(base.data)).rows
    refuse_seen(rows, [*table.split("val"), *table.split("test"), *(row for one in further for row in there(one))])


def with_teachers(arm: str, arms: Arms) -> list[str]:
    """Return an arm and those that it learns from, in the order of ``arms``."""
    needed, name = {arm}, teacher_of(arms[arm])
    while name is not None and name in arms and name not in needed:
        needed.add(name)
        name = teacher_of(arms[name])
    return [one for one in arms if one in needed]


def try_values(
    base: BenchmarkSettings,
    arm: str,
    grid: GridSettings,
    out: Path,
    load: Load | None,
) -> tuple[Tuning, Any]:
    """Return what each value of a grid brought, and the best value.

    Args:
        base: settings of the tuning, with this arm and those that it learns from.
        arm: that is tuned.
        grid: its values.
        out: folder of the tuning.
        load: makes the generator.
    """
    values: list[TunedValue] = []
    folders: list[Path] = sorted(path for path in out.glob("*/*") if (path / "runs").is_dir())  # of arms before
    for value in grid.values:
        name = word(value)
        own = replace(choose(base, arm, grid.key, grid.also, value), out=str(out / arm / name))
        task, design = open_design(own, (0, 1))
        say(f"tuning of {arm}: {grid.key} = {name}")
        stock = Caches(design, task, out / "caches" / cache_digest(own), load)
        others = [folder for folder in folders if folder != design.out]
        results: Results = run_level(task, design, stock, 0, others)[1]
        metric, table = task.table(results, {})
        figures = metric.per_seed(table.predicted[arm] - table.true, table.true[None])
        values.append(TunedValue(value=name, figure=float(figures.mean()), per_seed=tuple(map(float, figures))))
        folders.append(design.out)
    sign = 1.0 if task.judged.smaller_is_better else -1.0
    best = min(range(len(values)), key=lambda place: sign * values[place].figure)
    some = next(iter(results.values()))
    tuned = Tuning(
        arm=arm,
        key=grid.key,
        also=tuple(grid.also),
        values=tuple(values),
        chosen=values[best].value,
        setting=plain(grid.values[best]),
        labelled=some.labelled_hearts,
        seeds=tuple(base.seeds),
        videos=len(table.videos),
        data=str(base.data.root),
    )
    say(f"tuning of {arm}: {grid.key} = {tuned.chosen} of {', '.join(one.value for one in values)}")
    return tuned, grid.values[best]


def choose(settings: BenchmarkSettings, arm: str, key: str, also: Sequence[str], value: Any) -> BenchmarkSettings:
    """Return the settings with a value of a tuned setting, in the arm and in those that take it over."""
    for path in (f"{arm}.{key}", *also):
        name = path.split(".", 1)[0]
        if name in settings.arm:
            settings = with_value(settings, f"arm.{path}", value)
    return settings


def word(value: object) -> str:
    """Return a value as it stands in the report and in the name of its folder."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", "null" if value is None else str(value))
