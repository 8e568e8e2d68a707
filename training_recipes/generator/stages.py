"""Which stages of a run are done, what they found, and which settings decide them."""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json

from .settings import NEEDS

MADE: dict[str, tuple[str, ...]] = {  # what each stage leaves in the run's folder, in the order of the stages
    "hearts": ("hearts",),  # the decoded videos: no stage of their own, but made once
    "codec": ("codec",),
    "latents": ("latents.npy",),
    "reid": ("reid",),
    "pseudo": ("pseudo.h5",),
    "mafe": ("mafe",),
    "motions": ("flows.npy", "codes.npy"),
    "transport": ("transport",),
    "denoiser": ("denoiser",),
    "couplings": ("couplings.npy", "couplings.parts"),
    "student": ("student",),
}
ORDER = tuple(MADE)
FOR_HEARTS = ("rate", "size")  # of a preset
HEARTS = "hearts/hearts.json"
ARRAYS = (".npy", ".h5")  # are replaced, never written into; a network's files may be
ANEW = "Choose another out=, or delete the folder to begin anew"


def deciding(settings: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """Those of a run's settings that decide what a stage makes: its own and those of the stages before it.

    Args:
        settings: of the run: ``preset`` and others.
        stage: one of ``ORDER``.

    Returns:
        Value by name; a preset's settings as ``preset.<section>.<name>``.
    """
    place = ORDER.index(stage)
    preset, others = settings["preset"], {key: value for key, value in settings.items() if key != "preset"}
    if stage == "hearts":
        return {"videos": others.get("videos")} | {f"preset.{key}": preset.get(key) for key in FOR_HEARTS}
    found = {key: value for key, value in preset.items() if key not in ORDER[place + 1 :]}
    if stage == "student":
        kind = {"kind": "consistency"} | dict(preset.get("student", {}))  # the only one before there was a choice
        found["student"] = kind
        if kind["kind"] != "reflow":
            found.pop("couplings", None)  # read by no other
    if place < ORDER.index("motions"):
        found.pop("code", None)
    elif stage == "motions":
        found["transport"] = {"flow": preset.get("transport", {}).get("flow")}
    return others | _flat("preset", found)


def _flat(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {name: value}
    return {key: one for part, inner in value.items() for key, one in _flat(f"{name}.{part}", inner).items()}


def differing(before: Mapping[str, Any], now: Mapping[str, Any], stage: str) -> list[str]:
    """Names of the settings in which two runs differ and that decide a stage."""
    one, two = deciding(before, stage), deciding(now, stage)
    return sorted(key for key in {*one, *two} if one.get(key) != two.get(key))


class Stages:
    """Runs the stages in order, keeps their figures in ``<out>/stages.json`` and skips those that are done.

    Args:
        out: folder of the run.
        settings: of the whole run. Those that decide a stage which was begun may not change, so that no result mixes
            two; those of later stages may.
        writes: whether this process keeps the file; of several it is one.

    Raises:
        EchoAugmentError: ``out`` holds a run with other settings, or one whose ``stages.json`` is missing or damaged.
    """

    def __init__(self, out: Path, settings: dict[str, Any], *, writes: bool = True) -> None:
        self.out, self.path = out, out / "stages.json"
        self.settings, self.writes = settings, writes
        self.done: dict[str, dict[str, Any]] = {}
        if not self.path.exists() and self._begun():
            raise EchoAugmentError(f"{out} holds parts of a run, and no stages.json that says of which", ANEW)
        if self.path.exists():
            before, done = _read(self.path)
            # What was deleted since, to save room, is made again where it is needed.
            self.done = {name: figures for name, figures in done.items() if name in MADE and _is_there(out, name)}
            changed = sorted({key for stage in self._begun() for key in differing(before, settings, stage)})
            if changed:
                raise EchoAugmentError(
                    f"{out} holds a run with other settings ({', '.join(changed)})",
                    f"Choose another out; +reuse={out} takes the stages from it that these settings do not change",
                )
        self._keep()

    def _begun(self) -> list[str]:
        """The stages that are done, or have left something from which they would go on."""
        return [
            stage for stage in ORDER if stage in self.done or self._has_checkpoint(stage) or _is_there(self.out, stage)
        ]

    def _has_checkpoint(self, stage: str) -> bool:
        return (self.out / "checkpoints" / f"{stage}.ckpt").exists()

    def _keep(self) -> None:
        if self.writes:
            self.out.mkdir(parents=True, exist_ok=True)
            write_json(self.path, {"settings": self.settings, "done": self.done})

    def reuse(self, other: Path, wanted: Sequence[str]) -> list[str]:
        """Take from another run the hearts and the finished stages that the settings of this one would make anew.

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
        before, done = _read(path)
        taken: list[str] = []
        own: set[str] = set()
        for stage in ("hearts", *wanted):
            changed = differing(before, self.settings, stage)
            if changed and stage == "hearts":
                raise EchoAugmentError(
                    f"reuse={other}: made with other settings ({', '.join(changed)})", "Leave reuse out"
                )
            lacking = not _is_there(other, stage) or (stage != "hearts" and stage not in done)
            needs_own = "hearts" in own or any(need in own for need in NEEDS.get(stage, ()))
            if changed or lacking or needs_own or self._is_own(stage, done.get(stage), other):
                own.add(stage)
                continue
            if stage in self.done or (stage == "hearts" and _is_there(self.out, stage)):
                continue
            for name in MADE[stage]:
                _take(other / name, self.out / name)
            if stage != "hearts":
                self.done[stage] = done[stage]
            self._keep()
            taken.append(stage)
        return taken

    def _is_own(self, stage: str, theirs: dict[str, Any] | None, other: Path) -> bool:
        """Whether this run has made, or begun, a stage itself: it differs from the other run's, or has a checkpoint."""
        if stage == "hearts":
            table = self.out / HEARTS
            return table.exists() and table.read_bytes() != (other / HEARTS).read_bytes()
        return self.done[stage] != theirs if stage in self.done else self._has_checkpoint(stage)

    def run(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The figures of a stage: from the file where it is done, else by doing it."""
        if name in self.done:
            print(f"{name}: done before")
            return self.done[name]
        started = time.perf_counter()
        figures = work()
        figures["seconds"] = round(figures.get("seconds", time.perf_counter() - started), 1)
        self.done[name] = figures
        self._keep()
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        return figures


def _read(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Settings and figures of a run."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        return state["settings"], state["done"]
    except (ValueError, KeyError, TypeError) as error:
        raise EchoAugmentError(f"{path}: cannot be read ({error})", ANEW) from None


def _is_there(out: Path, stage: str) -> bool:
    """Whether a stage has left its files; of the hearts the table comes last."""
    return any((out / name).exists() for name in ((HEARTS,) if stage == "hearts" else MADE[stage]))


def _take(source: Path, target: Path) -> None:
    """Copy a file or a folder, whole or not at all; large arrays are hard-linked where that can be."""
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


CODEC, REID, PAIRS, WINDOWS, MOTIONS, STUDENT, COUPLINGS = range(7)  # one random stream a stage
