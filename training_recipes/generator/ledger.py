"""The ledger of a run, ``stages.json``: which stages are done, what they found, and which settings decided them."""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json
from echo_augment.cache.system.progress import say

from .stages import BY_NAME, NAMES, Figures, needed_by

VIDEOS = "hearts"  # the decoded videos: no stage of their own, but made once, and taken by another run like one
VIDEO_TABLE = "hearts/hearts.json"
ORDER = (VIDEOS, *NAMES)
FOR_VIDEOS = ("rate", "size")  # settings of a preset
ARRAYS = (".npy", ".h5")  # are replaced, never written into; a network's files may be
ANEW = "Choose another out=, or delete the folder to begin anew"
Setting = bool | int | float | str | list[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What decides the results of a run, as ``stages.json`` keeps it.

    Attributes:
        preset: the preset's settings, as `PresetSettings.plain` returns them.
        seed: decides fresh weights and batches.
        videos: hash of the names of the TRAIN videos.
        accumulate: batches a step, if more than one.
        codec: hash of a codec that was trained elsewhere.
        teacher: hash of a generator that is distilled.
        start: hash of a generator whose weights the stages start from.
    """

    preset: Mapping[str, Any]
    seed: int
    videos: str
    accumulate: int | None = None
    codec: str | None = None
    teacher: str | None = None
    start: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is given as JSON."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def deciding(self, stage: str) -> dict[str, Setting]:
        """Return the settings that decide what a stage makes: its own and those of the stages before it.

        Args:
            stage: one of `ORDER`.

        Returns:
            Value by name; a preset's settings as ``preset.<section>.<name>``.
        """
        place = ORDER.index(stage)
        if stage == VIDEOS:
            return {"videos": self.videos} | {f"preset.{key}": self.preset.get(key) for key in FOR_VIDEOS}
        found = {key: value for key, value in self.preset.items() if key not in ORDER[place + 1 :]}
        if stage == "student":
            # Runs before there was a choice have no kind, and no couplings, which consistency distillation never reads.
            found["student"] = {"kind": "consistency"} | dict(self.preset.get("student", {}))
            if found["student"]["kind"] != "reflow":
                found.pop("couplings", None)
        if self.preset.get("code") != "transport" and "denoiser" in found:  # it has no residual denoiser
            found["denoiser"] = {key: value for key, value in found["denoiser"].items() if key != "residual"}
        if place < ORDER.index("motions"):
            found.pop("code", None)
        elif stage == "motions":
            found["transport"] = {"flow": self.preset.get("transport", {}).get("flow")}
        others: dict[str, Setting] = {key: getattr(self, key) for key in self.__slots__ if key != "preset"}
        return others | _flat("preset", found)


def _flat(name: str, value: Any) -> dict[str, Setting]:
    if not isinstance(value, Mapping):
        return {name: value}
    return {key: one for part, inner in value.items() for key, one in _flat(f"{name}.{part}", inner).items()}


def differing(before: RunSettings, now: RunSettings, stage: str) -> list[str]:
    """Return the names of the settings in which two runs differ and that decide a stage."""
    one, two = before.deciding(stage), now.deciding(stage)
    return sorted(key for key in {*one, *two} if one.get(key) != two.get(key))


@dataclass(slots=True)
class LedgerState:
    """What ``stages.json`` holds: the run's settings, and the figures of the stages that are done."""

    settings: RunSettings
    done: dict[str, Figures]

    @classmethod
    def read(cls, path: Path) -> "LedgerState":
        """Read a ``stages.json``.

        Raises:
            EchoAugmentError: it is damaged.
        """
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            return cls(RunSettings(**state["settings"]), state["done"])
        except (ValueError, KeyError, TypeError) as error:
            raise EchoAugmentError(f"{path}: cannot be read ({error})", ANEW) from None


class Ledger:
    """Runs stages, keeps their figures in ``<out>/stages.json`` and skips those that are done.

    Args:
        out: folder of the run.
        settings: the whole run's. Those that decide a stage which was begun may not change, so that no result mixes
            two; those of later stages may.
        writes: whether this process writes the file; of several one does.

    Raises:
        EchoAugmentError: ``out`` holds a run with other settings, or one whose ``stages.json`` is missing or damaged.
    """

    def __init__(self, out: Path, settings: RunSettings, *, writes: bool = True) -> None:
        self.out, self.path = out, out / "stages.json"
        self.settings, self.writes = settings, writes
        self.done: dict[str, Figures] = {}
        if not self.path.exists() and self._begun():
            raise EchoAugmentError(f"{out} holds parts of a run, and no stages.json that says of which", ANEW)
        if self.path.exists():
            before = LedgerState.read(self.path)
            # What was deleted since, to save room, is made again if it is needed.
            self.done = {key: value for key, value in before.done.items() if key in BY_NAME and _is_there(out, key)}
            changed = sorted({key for stage in self._begun() for key in differing(before.settings, settings, stage)})
            if changed:
                raise EchoAugmentError(
                    f"{out} holds a run with other settings ({', '.join(changed)})",
                    f"Choose another out; reuse={out} takes the stages from it that these settings do not change",
                )
        self._keep()

    def _begun(self) -> list[str]:
        """Return the stages that are done, or have left something from which they would go on."""
        return [
            stage for stage in ORDER if stage in self.done or self._has_checkpoint(stage) or _is_there(self.out, stage)
        ]

    def _has_checkpoint(self, stage: str) -> bool:
        return (self.out / "checkpoints" / f"{stage}.ckpt").exists()

    def _keep(self) -> None:
        if self.writes:
            self.out.mkdir(parents=True, exist_ok=True)
            write_json(self.path, {"settings": self.settings.to_json(), "done": self.done})

    def reuse(self, other: Path, wanted: Sequence[str]) -> list[str]:
        """Take from another run the decoded videos and the stages that this one would make in the same way.

        Stages build on each other: one that the other run lacks or made with other settings, or that this run has
        made itself, is not taken, nor is what needs it.

        Args:
            other: folder of that run. Its large files are hard-linked where the file system can, else copied.
            wanted: the stages that this run needs.

        Returns:
            The stages taken now; not those that were taken before.

        Raises:
            EchoAugmentError: ``other`` is no folder of a run, or nothing in it was made with these settings.
        """
        path = other / "stages.json"
        if not path.is_file():
            raise EchoAugmentError(f"reuse={other}: has no stages.json", "Give the out= of a train-generator run")
        before = LedgerState.read(path)
        taken: list[str] = []
        own: set[str] = set()
        for stage in (VIDEOS, *wanted):
            changed = differing(before.settings, self.settings, stage)
            if changed and stage == VIDEOS:
                raise EchoAugmentError(
                    f"reuse={other}: made with other settings ({', '.join(changed)})", "Leave reuse out"
                )
            lacking = not _is_there(other, stage) or (stage != VIDEOS and stage not in before.done)
            needs_own = stage != VIDEOS and any(need in own for need in (VIDEOS, *needed_by(stage)))
            if changed or lacking or needs_own or self._is_own(stage, before.done.get(stage), other):
                own.add(stage)
                continue
            if stage in self.done or (stage == VIDEOS and _is_there(self.out, stage)):
                continue
            for name in _outputs(stage):
                _take(other / name, self.out / name)
            if stage != VIDEOS:
                self.done[stage] = before.done[stage]
            self._keep()
            taken.append(stage)
        return taken

    def _is_own(self, stage: str, theirs: Figures | None, other: Path) -> bool:
        """Return whether this run has made or begun a stage itself: it has a checkpoint, or other results."""
        if stage == VIDEOS:
            table = self.out / VIDEO_TABLE
            return table.exists() and table.read_bytes() != (other / VIDEO_TABLE).read_bytes()
        return self.done[stage] != theirs if stage in self.done else self._has_checkpoint(stage)

    def run(self, name: str, work: Callable[[], Figures]) -> Figures:
        """Return the figures of a stage: from the file if it is done, else by calling ``work``."""
        if name in self.done:
            say(f"{name}: done before")
            return self.done[name]
        started = time.perf_counter()
        figures = work()
        figures["seconds"] = round(figures.get("seconds", time.perf_counter() - started), 1)
        self.done[name] = figures
        self._keep()
        if self.writes:
            say(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        return figures


def _outputs(stage: str) -> tuple[str, ...]:
    return (VIDEOS,) if stage == VIDEOS else BY_NAME[stage].outputs


def _is_there(out: Path, stage: str) -> bool:
    """Return whether a stage has left its files; of the decoded videos the table comes last."""
    return any((out / name).exists() for name in ((VIDEO_TABLE,) if stage == VIDEOS else _outputs(stage)))


def _take(source: Path, target: Path) -> None:
    """Copy a file or a folder, whole or not at all; large arrays are hard-linked if the file system can."""
    if not source.exists():
        return
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.unlink(missing_ok=True)
    if source.is_dir():
        shutil.copytree(source, partial, copy_function=_take_file)
        shutil.rmtree(target, ignore_errors=True)
    else:
        _take_file(source, partial)
    partial.replace(target)


def _take_file(source: str | Path, target: str | Path) -> None:
    if Path(source).suffix in ARRAYS:
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # another file system, or one without links
    shutil.copy2(source, target)
