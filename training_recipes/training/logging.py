"""What a training writes down: a CSV of its losses, the same for trackers, and how long it will take."""

import csv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path

TRACKERS = ("tensorboard", "wandb")  # accelerate's names, and those of the packages and of this package's extras


class CsvLog:
    """A CSV of the losses; on resume the lines after the checkpoint are dropped.

    Args:
        path: of the file.
        step: of the checkpoint; 0 begins anew.
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
        """Add a line."""
        if not self.enabled:
            return
        new = self.fields is None
        self.fields = self.fields or ["step", *values]
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self.fields, extrasaction="ignore")
            if new:
                writer.writeheader()
            writer.writerow({"step": step, **{key: f"{value:.6g}" for key, value in values.items()}})


def check_trackers(names: tuple[str, ...]) -> None:
    """Refuse trackers whose package is not installed.

    Raises:
        EchoAugmentError: naming the extra to install.
    """
    for name in names:
        if find_spec(name) is None:
            raise EchoAugmentError(f"log={name}: {name} is not installed", f'pip install "echo-augment[{name}]"')


def track(accelerator: Accelerator, name: str, step: int, values: dict[str, float]) -> None:
    """Give the losses of training ``name`` to the accelerator's trackers, where there are any.

    Several trainings of one run count their steps from 0 each, which wandb refuses; there the step is a value of its
    own.
    """
    for tracker in accelerator.trackers if accelerator.is_main_process else ():
        named: dict[str, Any] = {f"{name}/{key}": value for key, value in values.items()}
        if tracker.name == "wandb":
            tracker.log({**named, f"{name}/step": step})
        else:
            tracker.log(named, step=step)


def time_text(seconds: float) -> str:
    """A duration to read: ``45 s``, ``12 min``, ``3.4 h``, ``2.1 days``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
