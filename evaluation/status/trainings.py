"""How far trainings are: one of an EF or segmentation model, or all those of a benchmark."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from echo_augment.cache.fill import PLAN
from echo_augment.cache.system.files import JsonValue
from echo_augment.cache.system.locks import STALE_SECONDS
from echo_augment.cache.system.progress import duration, plural
from echo_augment.training_recipes.common.run_folder import running

from .caches import cache_state
from .state import REPORT, State, age, at, settings_of, who

LOG, RESULT, SETTINGS = "fit.csv", "result.json", "settings.json"
RUNS = "runs"  # of a benchmark, one folder a number of labels
LOOKED_AT = 10 * STALE_SECONDS  # a training that has logged nothing for so many seconds is worked at by nobody


@dataclass(frozen=True, slots=True)
class Log:
    """What the log of a training says.

    Attributes:
        step: the last that was logged; 0 before the first.
        seconds: the training has taken up to there.
    """

    step: int = 0
    seconds: float = 0.0

    def left(self, steps: int | None) -> float | None:
        """Return the seconds that the other steps take at this pace; None if that cannot be known."""
        return self.seconds / self.step * max(0, steps - self.step) if steps and self.step else None


def read_log(path: Path) -> Log:
    """Return how far a log of `CsvLog` is; its last line may be one that is being written."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return Log()
    for row in reversed(rows):
        try:
            return Log(int(row["step"]), float(row["s"]))
        except (KeyError, TypeError, ValueError):
            continue
    return Log()


def read_json(path: Path) -> JsonValue:
    """Return what a JSON file holds; None if it is not there, or damaged."""
    try:
        return cast(JsonValue, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def is_training(folder: Path) -> bool:
    """Return whether a folder is that of one training."""
    return (folder / SETTINGS).is_file() and ((folder / RESULT).is_file() or not (folder / RUNS).exists())


def steps_of(folder: Path) -> int | None:
    """Return the steps of a training; None if they depend on the data."""
    steps = at(read_json(folder / SETTINGS), "trainer", "steps")
    return steps if isinstance(steps, int) else None


def seconds_of(folder: Path) -> float:
    """Return the seconds that a finished training took in its loop."""
    seconds = at(read_json(folder / RESULT), "seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def training_state(folder: Path, job: str) -> State:
    """Return how far one training is."""
    working = who(running(folder))
    if (folder / RESULT).is_file():
        done = [f"trained, {duration(seconds_of(folder))} in its loop"]
        return State(folder=folder, job=job, done=done, running=working, finished=not working)
    log, steps = read_log(folder / LOG), steps_of(folder)
    of = f" of {plural(steps, 'step')}" if steps else " steps"
    left = [plural(steps - log.step, "step")] if steps else ["the rest of the steps, and the test"]
    return State(
        folder=folder,
        job=job,
        done=[f"{log.step:,}{of}"],
        running=working,
        left=left,
        seconds=log.left(steps) if working else None,
    )


def is_benchmark(folder: Path) -> bool:
    """Return whether a folder is that of a benchmark."""
    return (folder / RUNS).is_dir() or at(settings_of(folder), "labels") is not None


def trainings_wanted(settings: JsonValue) -> int | None:
    """Return how many trainings a benchmark consists of; None if its settings are not known.

    Args:
        settings: as composed. Arms that cannot be trained on real videos do not count there.
    """
    arms, labels, seeds = (at(settings, name) for name in ("arm", "labels", "seeds"))
    if not (isinstance(arms, Mapping) and isinstance(labels, list) and isinstance(seeds, list)):
        return None
    if at(settings, "data", "name") != "phantom":
        from ..benchmark.design import Arms, choose_arms  # seconds: it brings PyTorch

        _, arms = choose_arms(cast(Arms, arms), Path(str(at(settings, "data", "root"))))
    return len(arms) * len(labels) * len(seeds)


def benchmark_state(folder: Path, job: str) -> State:
    """Return how far a benchmark is: its generator, its caches, its trainings."""
    working = who(running(folder))
    runs = sorted(path.parent for path in folder.glob(f"{RUNS}/*/*/{SETTINGS}"))
    trained = [run for run in runs if (run / RESULT).is_file()]
    begun = [run for run in runs if run not in trained]
    seconds = [seconds_of(run) for run in trained]
    wanted = trainings_wanted(settings_of(folder) or settings_of(folder.parent.parent))  # or those of the whole sweep
    finished = (folder / REPORT).is_file() and not begun and not working
    caches = [cache_state(path.parent, "clips") for path in sorted(folder.glob(f"caches/**/{PLAN}"))]
    filled = sum(cache.finished for cache in caches)
    done = [f"{len(trained)} of {plural(wanted, 'training')}" if wanted else plural(len(trained), "training")]
    if caches:
        done.append(f"{filled} of {plural(len(caches), 'cache')} that were begun")
    told = [*working, *(f"{run.parent.name}/{run.name}: {step_words(run)}" for run in begun if is_fresh(run))]
    return State(
        folder=folder,
        job=job,
        done=done,
        running=told,
        left=benchmark_left(wanted, len(trained), begun) if not finished else [],
        seconds=benchmark_seconds(wanted, seconds, begun) if told else None,
        finished=finished,
        parts=[cache for cache in caches if not cache.finished],
    )


def is_fresh(run: Path) -> bool:
    """Return whether a training has been written to a while ago."""
    ages = [seconds for name in (LOG, SETTINGS) if (seconds := age(run / name)) is not None]
    return min(ages, default=LOOKED_AT) < LOOKED_AT


def step_words(run: Path) -> str:
    """Return how far a training is: ``120 of 400 steps``."""
    log, steps = read_log(run / LOG), steps_of(run)
    return f"{log.step:,} of {plural(steps, 'step')}" if steps else plural(log.step, "step")


def benchmark_left(wanted: int | None, trained: int, begun: Sequence[Path]) -> list[str]:
    """Return what a benchmark still has to do."""
    if wanted is None:
        return ["the trainings that were begun" if begun else "what its settings ask for", "the report"]
    rest = wanted - trained
    return [*([plural(rest, "training")] if rest > 0 else []), "the report"]


def benchmark_seconds(wanted: int | None, seconds: Sequence[float], begun: Sequence[Path]) -> float | None:
    """Return how long the other trainings take: each as long as those that are done, as many side by side as now."""
    if wanted is None or not seconds:
        return None
    mean = sum(seconds) / len(seconds)
    side_by_side = max(1, sum(is_fresh(run) for run in begun))
    spent = sum(min(mean, read_log(run / LOG).seconds) for run in begun)
    return max(0.0, mean * (wanted - len(seconds)) - spent) / side_by_side
