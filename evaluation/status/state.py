"""How far a run is, and how that is told."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from echo_augment.cache.system.files import JsonValue
from echo_augment.cache.system.locks import Holder
from echo_augment.cache.system.progress import duration

REPORT = "report.json"  # as the jobs name it, whose module brings PyTorch; a test holds both together
SWEPT = "multirun.yaml"
DONE, RUNNING, STOPPED = "done", "running", "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far a run is.

    Attributes:
        folder: of the run.
        job: name of the job; empty if the folder does not tell.
        done: what is done, a line each.
        running: what is worked at, and by whom, a line each.
        left: what is left, a line each; nothing when all is done.
        seconds: that the rest takes at the pace so far; None if that cannot be known.
        finished: whether all is done.
        parts: runs inside this one.
    """

    folder: Path
    job: str
    done: Sequence[str] = ()
    running: Sequence[str] = ()
    left: Sequence[str] = ()
    seconds: float | None = None
    finished: bool = False
    parts: Sequence["State"] = ()

    @property
    def word(self) -> str:
        """``done``, ``running`` or ``stopped``."""
        return DONE if self.finished else RUNNING if self.running else STOPPED

    def text(self, indent: str = "") -> str:
        """Return the lines that the job prints."""
        lines = [f"{self.folder}: {self.job or 'a folder'}, {self.word}"]
        for name in ("done", "running", "left"):
            lines += [f"  {name:<8}{line}" for line in getattr(self, name)]
        if not self.finished and self.seconds is not None:
            lines.append(f"  {'time':<8}about {duration(self.seconds)} left")
        told = "\n".join(indent + line for line in lines)
        return "\n".join([told, *(part.text(indent + "  ") for part in self.parts)])


def who(holders: Iterable[Holder]) -> list[str]:
    """Return a line for each process that works in a folder."""
    return [f"process {one.pid} on {one.host} since {one.since}" for one in holders]


def _kept(folder: Path, name: str) -> JsonValue:
    """Return what Hydra has kept of a run; of several that fill one folder together, what it has kept of the first."""
    places = [folder, *(sorted(folder.iterdir()) if (folder / SWEPT).is_file() else ())]
    for place in places:
        path = place / ".hydra" / name
        if path.is_file():
            try:
                found = OmegaConf.to_container(OmegaConf.load(path), resolve=name == "config.yaml")
            except (OSError, YAMLError, OmegaConfBaseException):
                continue  # being written, or with a value that only the job itself can find
            return cast(JsonValue, found)
    return None


def settings_of(folder: Path) -> JsonValue:
    """Return the settings of the run in a folder, as Hydra has kept them; None if it has not, or not yet whole."""
    return _kept(folder, "config.yaml")


def job_of(folder: Path) -> str:
    """Return the name of the job that a folder is of, as Hydra has kept it; empty if it has not."""
    return str(at(_kept(folder, "hydra.yaml"), "hydra", "job", "config_name") or "")


def at(found: JsonValue, *path: str) -> JsonValue:
    """Return what stands at a path of JSON objects; None where there is nothing.

    >>> at({"data": {"name": "phantom"}}, "data", "name"), at({"data": 1}, "data", "name")
    ('phantom', None)
    """
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def age(path: Path) -> float | None:
    """Return the seconds since a file was written last; None if there is none."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return None
