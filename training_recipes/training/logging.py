"""What a training shows and writes down: how far it is and the time left, its losses as CSV and for trackers."""

import csv
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import torch
from accelerate import Accelerator
from torch import Tensor

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path
from echo_augment.cache.system.progress import Progress, duration, say

from .together import mean_of_all

TIMED = 10  # steps after which the time left is told
TRACKERS = ("tensorboard", "wandb")  # accelerate's names, and those of the packages and of this package's extras


class CsvLog:
    """A CSV of the losses; on resume the lines after the checkpoint are dropped.

    Args:
        path: the file.
        step: the checkpoint's; 0 begins anew.
        enabled: false in all processes but one.
    """

    def __init__(self, path: Path, step: int, *, enabled: bool) -> None:
        self.path, self.enabled = path, enabled
        if not enabled:
            return
        rows = list(csv.DictReader(path.open(newline=""))) if path.exists() else []
        kept = [row for row in rows if int(row["step"]) <= step]
        self.fields = list(kept[0]) if kept else None
        if kept and self.fields:
            with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
                writer = csv.DictWriter(file, self.fields)
                writer.writeheader()
                writer.writerows(kept)
        elif path.exists():
            path.unlink()

    def write(self, step: int, values: dict[str, float]) -> None:
        """Append the values of a step. The first line decides the columns: a value new in a later one is left out."""
        if not self.enabled:
            return
        new = self.fields is None
        self.fields = self.fields or ["step", *values]
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self.fields, extrasaction="ignore")
            if new:
                writer.writeheader()
            writer.writerow({"step": step, **{key: f"{value:.6g}" for key, value in values.items()}})


class TrainingLog:
    """Shows and keeps the losses of a training; a context manager.

    Args:
        path: the CSV file; its stem names the training.
        accelerator: its main process writes, also to its trackers.
        steps: of the whole training.
        done: steps that are done already; later lines of the file are dropped.
        every: steps between lines.
        progress: show how far it is.
        announce: print once, after a few steps, how long the training will take.
    """

    def __init__(
        self,
        path: Path,
        accelerator: Accelerator,
        *,
        steps: int,
        done: int,
        every: int,
        progress: bool,
        announce: bool,
    ) -> None:
        self.name, self.accelerator, self.steps, self.every = path.stem, accelerator, steps, every
        self.csv = CsvLog(path, done, enabled=accelerator.is_main_process)
        hidden = not (progress and accelerator.is_main_process)
        self.bar = Progress(self.name, steps, unit="step", done=done, show=not hidden)
        self.announced_at = done + TIMED if announce and not hidden else -1
        self.began = time.perf_counter()
        self.unread: dict[int, dict[str, Tensor]] = {}
        self.window: dict[int, dict[str, float]] = {}

    def __enter__(self) -> "TrainingLog":
        self.began = time.perf_counter()
        self.bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.__exit__(kind, error, trace)

    def add(self, step: int, losses: dict[str, Tensor]) -> None:
        """Note the losses of a step, which stay on their device.

        Args:
            step: that has just been taken, from 1.
            losses: of the step, the same names each time.
        """
        self.unread[step] = losses
        self.bar.update()
        if step == self.announced_at:
            left = (time.perf_counter() - self.began) / TIMED * (self.steps - step)
            say(f"{self.name}: {self.steps - step} of {self.steps} steps to go, about {duration(left)}")

    def due(self, step: int) -> bool:
        """Return whether an interval ends with a step."""
        return step % self.every == 0 or step == self.steps

    def read(self) -> dict[int, dict[str, float]]:
        """Return the losses of the interval so far by step, means over the processes; all processes call it together.

        All that is not yet read is read at once, since each reading waits for the device.
        """
        if self.unread:
            names = list(next(iter(self.unread.values())))
            table = [torch.stack([losses[name].float() for name in names]) for losses in self.unread.values()]
            rows = mean_of_all(torch.stack(table)).tolist()
            self.window |= {
                step: dict(zip(names, row, strict=True)) for step, row in zip(self.unread, rows, strict=True)
            }
            self.unread = {}
        return self.window

    def write(self, step: int, *, lr: float, seconds: float) -> dict[str, float]:
        """Write the mean of each loss over the interval that ends with a step, begin the next one, return the means.

        Args:
            step: the last.
            lr: the learning rate now.
            seconds: of the training so far.
        """
        rows = list(self.read().values())
        means = {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}
        logged = {**means, "lr": lr, "s": seconds}
        self.csv.write(step, logged)
        track(self.accelerator, self.name, step, logged)
        self.bar.notes = f"loss {means['loss']:.4g}"
        self.window = {}
        return means


def check_trackers(names: tuple[str, ...]) -> None:
    """Raise if the package of a tracker is not installed.

    Raises:
        EchoAugmentError: naming the extra to install.
    """
    for name in names:
        if find_spec(name) is None:
            raise EchoAugmentError(f"log={name}: {name} is not installed", f'pip install "echo-augment[{name}]"')


def track(accelerator: Accelerator, name: str, step: int, values: dict[str, float]) -> None:
    """Give the losses of training ``name`` to the accelerator's trackers.

    Several trainings of one run count their steps from 0 each, which wandb refuses; there the step is a value of its
    own.
    """
    for tracker in accelerator.trackers if accelerator.is_main_process else ():
        named: dict[str, float] = {f"{name}/{key}": value for key, value in values.items()}
        if tracker.name == "wandb":
            tracker.log({**named, f"{name}/step": step})
        else:
            tracker.log(named, step=step)
