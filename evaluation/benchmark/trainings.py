"""Running trainings side by side, with one line of progress over all their steps."""

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.cache.system.processes import end_with_parent, usable_cores
from echo_augment.cache.system.progress import Progress, plural, say
from echo_augment.training_recipes.arms.specification import teacher_of
from echo_augment.training_recipes.ef.run import EFRun
from echo_augment.training_recipes.ef.training import train_ef
from echo_augment.training_recipes.segmentation.run import SegmentationRun
from echo_augment.training_recipes.segmentation.training import train_segmentation
from echo_augment.training_recipes.training.run import RESULT, TrainingResult, TrainingRun, finished
from echo_augment.training_recipes.training.videos import changed_video

POLL = 1.0  # seconds after which the trainings' logs are read again


def count_workers(asked: int | str, runs: int, threads: int | None) -> int:
    """Return how many trainings run side by side.

    Args:
        asked: a number, or ``auto``: one for each core if a training uses one thread; one on a GPU.
        runs: how many there are to do.
        threads: CPU threads of a training; None for all.

    Raises:
        EchoAugmentError: ``asked`` is none of these.
    """
    if asked == "auto":
        count = 1 if torch.cuda.is_available() or threads is None else usable_cores() // threads
        return max(1, min(count, runs))
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
        raise EchoAugmentError(f"workers must be auto or a number of at least 1, got {asked!r}")
    return max(1, min(asked, runs))


def train(run: TrainingRun, out: Path, *, progress: bool = True) -> TrainingResult[Any]:
    """Train one run by the recipe of its task; see `train_ef` and `train_segmentation`."""
    if isinstance(run, SegmentationRun):
        return train_segmentation(run, out, progress=progress)
    if isinstance(run, EFRun):
        return train_ef(run, out, progress=progress)
    raise TypeError(f"no recipe trains a {type(run).__name__}")


def waves(runs: Mapping[Path, TrainingRun]) -> list[dict[Path, TrainingRun]]:
    """Return the runs in groups: those of a group learn only from runs of earlier ones.

    Args:
        runs: by folder.

    Raises:
        EchoAugmentError: trainings that learn from each other in a circle.
    """
    teacher: dict[Path, Path] = {}
    for out, run in runs.items():
        name = teacher_of(run.spec)
        if name is not None and name in run.teachers:
            teacher[out] = Path(run.teachers[name])
    found: list[dict[Path, TrainingRun]] = []
    left = dict(runs)
    while left:
        ready = {out: run for out, run in left.items() if teacher.get(out) not in left}
        if not ready:
            raise EchoAugmentError(f"the arms {', '.join(sorted({run.arm for run in left.values()}))} teach each other")
        found.append(ready)
        left = {out: run for out, run in left.items() if out not in ready}
    return found


def run_all(
    runs: Mapping[Path, TrainingRun], *, workers: int, elsewhere: Mapping[Path, Sequence[Path]] | None = None
) -> dict[Path, TrainingResult[Any]]:
    """Train what is not finished yet; teachers before those that learn from them.

    Args:
        runs: by folder.
        workers: processes; 1 trains in this one.
        elsewhere: for a run's folder others where the very same training may have been done; it is copied.

    Returns:
        The result of every run, by folder; the same for any number of workers, and after any number of interruptions.
    """
    results: dict[Path, TrainingResult[Any]] = {}
    for wave in waves(runs):
        for out, run in wave.items():
            borrow(run, out, (elsewhere or {}).get(out, ()))
        results |= _run_wave(wave, workers=workers, before=len(results), total=len(runs))
    return {out: results[out] for out in runs}


def borrow(run: TrainingRun, out: Path, elsewhere: Sequence[Path]) -> None:
    """Copy a finished training from another folder if it is the very same; ``result.json`` comes last."""
    if (out / RESULT).exists() or not any((other / RESULT).exists() for other in elsewhere):
        return
    key = run.key()
    for other in elsewhere:
        if not (other / RESULT).exists() or changed_video(other, run.videos()) is not None:
            continue
        if json.loads((other / RESULT).read_text(encoding="utf-8"))["key"] == key:
            out.mkdir(parents=True, exist_ok=True)
            for path in sorted(other.iterdir(), key=lambda path: path.name == RESULT):
                with atomic_path(out / path.name) as temporary:
                    shutil.copyfile(path, temporary)
            return


def _run_wave(
    runs: Mapping[Path, TrainingRun], *, workers: int, before: int, total: int
) -> dict[Path, TrainingResult[Any]]:
    results = {out: done for out, run in runs.items() if (done := finished(run, out)) is not None}
    todo = {out: run for out, run in runs.items() if out not in results}
    if results:
        say(f"{before + len(results)} of {total} trainings are done already")
    if workers == 1 or len(todo) <= 1:
        for number, (out, run) in enumerate(todo.items(), before + len(results) + 1):
            say(f"training {number} of {total}: {out.name}")
            results[out] = train(run, out)
        return results
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        jobs: dict[Future[TrainingResult[Any]], Path] = {
            pool.submit(train, run, out, progress=False): out for out, run in todo.items()
        }
        try:
            _follow(jobs, {out: _steps(run) for out, run in todo.items()})
            results |= {out: job.result() for job, out in jobs.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _follow(jobs: Mapping[Future[TrainingResult[Any]], Path], steps: Mapping[Path, int]) -> None:
    """Show the steps of all trainings until they are done, or one fails."""
    pending = set(jobs)
    known = all(steps.values())
    total, unit = (sum(steps.values()), "step") if known else (len(jobs), "run")
    before = sum(min(steps[out], steps_done(out)) for out in steps) if known else 0
    with Progress("train", total, unit=unit, done=before) as bar:
        while pending:
            done, pending = wait(pending, timeout=POLL, return_when=FIRST_COMPLETED)
            for job in done:
                job.result()
            ended = {jobs[job] for job in jobs if job not in pending}
            if known:
                now = sum(steps[out] if out in ended else min(steps[out], steps_done(out)) for out in steps)
            else:
                now = len(ended)
            bar.update(now - bar.done, f"{len(ended)} of {plural(len(jobs), 'training')} done")


def _steps(run: TrainingRun) -> int:
    """Return the steps of a training if its recipe says so; 0 if they depend on the data."""
    return run.trainer.steps or 0


def steps_done(out: Path) -> int:
    """Return how many steps a training has logged so far."""
    path = out / "fit.csv"
    if not path.exists():
        return 0
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and row[0].isdigit()]
    return int(rows[-1][0]) if rows else 0
