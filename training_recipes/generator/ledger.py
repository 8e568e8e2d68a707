"""Which stages of a run are done, and what they found."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.files import write_json


class Stages:
    """Runs the stages in order, keeps their figures in ``<out>/stages.json`` and skips those that are done.

    Args:
        out: folder of the run.
        settings: of the whole run; a folder begun with others is refused, so that no result mixes two.
        writes: whether this process keeps the file; of several it is one.

    Raises:
        EchoAugmentError: ``out`` holds a run with other settings.
    """

    def __init__(self, out: Path, settings: dict[str, Any], *, writes: bool = True) -> None:
        self.path = out / "stages.json"
        self.settings, self.writes = settings, writes
        self.done: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            state = json.loads(self.path.read_text(encoding="utf-8"))
            before = state["settings"]
            if before != settings:
                changed = sorted(key for key in {*settings, *before} if settings.get(key) != before.get(key))
                raise EchoAugmentError(
                    f"{out} holds a run with other settings ({', '.join(changed)})", "Choose another out="
                )
            self.done = state["done"]

    def run(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The figures of a stage: from the file where it is done, else by doing it."""
        if name in self.done:
            print(f"{name}: done before")
            return self.done[name]
        started = time.perf_counter()
        figures = work()
        figures["seconds"] = round(figures.get("seconds", time.perf_counter() - started), 1)
        self.done[name] = figures
        if self.writes:
            write_json(self.path, {"settings": self.settings, "done": self.done})
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        return figures
