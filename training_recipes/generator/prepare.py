"""The training videos in one memory-mapped array, so that a batch of any stage is a few slices."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from echo_augment.augmentor.data import Skipped, VideoInfo, read_video
from echo_augment.augmentor.data.importers.pool import each
from echo_augment.augmentor.data.probe import first_hash, frames_hash
from echo_augment.augmentor.mcdm.phase import Heart, make_heart
from echo_augment.augmentor.mcdm.training_videos import TrainingVideos
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path, write_json
from echo_augment.cache.system.progress import Progress

from ..common.parts import SOLO, Crew, join

FRAMES, TABLE, PARTS = "frames.npy", "hearts.json", "parts"
PART = 16  # videos of a part: what a kill may cost each process
FEW_PARTS = 4
MOST_WORKERS = 16  # each holds some 350 MB of its own (Private_Dirty in its /proc/PID/smaps_rollup)
FEWEST = 3  # videos


@dataclass(frozen=True)
class Prepared:
    """Videos at twice the generator's frame rate, in ``frames.npy`` and ``hearts.json`` of ``folder``.

    Attributes:
        folder: where they lie.
        videos: their frames are slices of the one memory map.
        starts: index of each video's first frame in the whole array.
        monitored: how many, the last ones, do not train but watch the training (TRAIN videos; VAL stays unseen).
        hashes: the videos', by which they are told apart from VAL and TEST.
        skipped: videos that could not be used: name and reason.
    """

    folder: Path
    videos: list[Heart]
    starts: list[int]
    monitored: int
    hashes: TrainingVideos
    skipped: list[Skipped]

    @property
    def training(self) -> list[Heart]:
        """The videos that train."""
        return self.videos[: len(self.videos) - self.monitored]

    @property
    def watched(self) -> list[Heart]:
        """The TRAIN videos kept aside to watch the training."""
        return self.videos[len(self.videos) - self.monitored :]

    def kept_aside(self, known: TrainingVideos | None = None) -> list[Heart]:
        """Return the watched videos that did not train a model from before either, by the record of that model."""
        trained = set() if known is None else set(known.content)
        first = len(self.training)
        return [
            one
            for one, content in zip(self.watched, self.hashes.content[first:], strict=True)
            if content not in trained
        ]

    @property
    def total(self) -> int:
        """Frames in all."""
        return self.starts[-1] + len(self.videos[-1].frames)


def prepare(
    rows: Sequence[VideoInfo],
    folder: Path,
    *,
    rate: float,
    size: int,
    monitor: float = 0.05,
    crew: Crew = SOLO,
    workers: int | None = None,
) -> Prepared:
    """Decode, resample and lay out the videos; the ED and ES frame of each are found on the way.

    Every video is decoded once. Kill it at any moment and call it again: it goes on. The result does not depend on the
    number of processes.

    Args:
        rows: TRAIN videos, labelled or not.
        folder: where ``frames.npy`` and ``hearts.json`` go; what is there already is loaded.
        rate: the generator's frames per second; twice as many are kept.
        size: side of a frame in pixels.
        monitor: share of the videos kept aside, at least one.
        crew: the processes of a launch, each with its own processes that decode.
        workers: how many decode for each of the crew; None for one a core, at most 16.

    Raises:
        EchoAugmentError: fewer than 3 usable videos, or a part of the work is lost.
    """
    index = folder / TABLE
    if not index.exists():
        parts = [
            Part(folder / PARTS / f"{first:08d}", tuple(rows[first : first + PART]), rate, size)
            for first in range(0, len(rows), PART)
        ]
        make_parts(parts, crew, min(crew.cores, MOST_WORKERS) if workers is None else workers)
        crew.wait()
        if crew.leads:
            _lay_out(parts, folder)
        crew.wait()
    table = json.loads(index.read_text(encoding="utf-8"))
    frames = np.load(folder / FRAMES, mmap_mode="r", allow_pickle=False)
    hearts, starts = [], []
    for row in table["hearts"]:
        starts.append(row["start"])
        hearts.append(Heart(row["name"], frames[row["start"] : row["start"] + row["length"]], row["ed"], row["es"]))
    monitored = max(1, round(monitor * len(hearts)))
    hashes = TrainingVideos(tuple(table["hashes"]["first"]), tuple(table["hashes"]["content"]))
    skipped = [Skipped(**one) for one in table["skipped"]]
    return Prepared(folder, hearts, starts, monitored, hashes, skipped)


@dataclass(frozen=True, slots=True)
class Part:
    """Some videos that are prepared together: their frames in ``<path>.npy``, all else in ``<path>.json``.

    Attributes:
        path: of the files, without a suffix.
        rows: the videos.
        rate: the generator's frames per second.
        size: side of a frame in pixels.
        crashed: names of videos whose decoding ends the process.
    """

    path: Path
    rows: tuple[VideoInfo, ...]
    rate: float
    size: int
    crashed: tuple[str, ...] = ()

    @property
    def frames(self) -> Path:
        """The file of the frames."""
        return self.path.with_suffix(".npy")

    @property
    def asked(self) -> dict[str, Any]:
        """What decides the result, as JSON."""
        videos = [[row.name, f"{row.fps:.9g}"] for row in self.rows]
        return {"rate": self.rate, "size": self.size, "videos": videos}

    def found(self) -> dict[str, Any] | None:
        """Return what the part's table holds; None if it was not made, or of other videos, or in another way."""
        try:
            table = json.loads(self.path.with_suffix(".json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return table if table.get("asked") == self.asked else None


def make_part(part: Part) -> bool:
    """Decode the videos of a part and write it, the table last; return True."""
    made: list[Heart] = []
    hashes: dict[str, list[str]] = {"first": [], "content": []}
    skipped: list[Skipped] = []
    for row in part.rows:
        if row.name in part.crashed:
            skipped.append(Skipped(row.name, f"{row.path}: the process that decodes it crashes"))
            continue
        try:
            frames, fps = read_video(row.path)
            made.append(
                make_heart(row.name, frames, fps if np.isnan(row.fps) else row.fps, rate=part.rate, size=part.size)
            )
        except EchoAugmentError as error:
            skipped.append(Skipped(row.name, str(error)))
            continue
        hashes["first"].append(first_hash(len(frames), (frames.shape[1], frames.shape[2]), frames[:1]))
        hashes["content"].append(frames_hash(frames))
    shown = [heart.frames for heart in made] or [np.empty((0, part.size, part.size), np.uint8)]
    with atomic_path(part.frames) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(shown), allow_pickle=False)
    table = [{"name": heart.name, "length": len(heart.frames), "ed": heart.ed, "es": heart.es} for heart in made]
    notes = [one._asdict() for one in skipped]
    write_json(
        part.path.with_suffix(".json"), {"asked": part.asked, "hearts": table, "hashes": hashes, "skipped": notes}
    )
    return True


def make_parts(parts: Sequence[Part], crew: Crew, workers: int) -> None:
    """Make this process's share of the parts that are not there yet, in ``workers`` processes."""
    own = list(crew.share.of(parts))
    todo = [part for part in own if part.found() is None]
    total, left = (sum(len(part.rows) for part in some) for some in (own, todo))
    with Progress("prepare", total, unit="video", done=total - left, show=crew.leads) as progress:
        if workers == 1 or len(todo) < FEW_PARTS:  # processes take seconds to start
            for part in todo:
                make_part(part)
                progress.update(len(part.rows))
            return
        for part, done in each(make_part, todo, workers):
            if done is None:
                tried = list(each(make_part, [_of_one(part, place) for place in range(len(part.rows))], 1))
                make_part(replace(part, crashed=tuple(one.rows[0].name for one, whole in tried if whole is None)))
            progress.update(len(part.rows))


def _of_one(part: Part, place: int) -> Part:
    return replace(part, path=part.path.with_name(f"{part.path.name}-{place}"), rows=(part.rows[place],))


def _lay_out(parts: Sequence[Part], folder: Path) -> None:
    """Join the parts to ``frames.npy``, and write ``hearts.json`` last."""
    tables = [part.found() or {} for part in parts]
    if not all(tables):
        lost = parts[[bool(table) for table in tables].index(False)]
        raise EchoAugmentError(f"{lost.path}.json: is missing", "Start again. All processes must see one out=")
    hearts = [heart for table in tables for heart in table["hearts"]]
    if len(hearts) < FEWEST:
        shutil.rmtree(folder / PARTS, ignore_errors=True)
        raise EchoAugmentError(
            f"only {len(hearts)} of {sum(len(part.rows) for part in parts)} TRAIN videos can be used",
            f"Run echo-augment doctor on the folder; the generator needs at least {FEWEST} videos",
        )
    lengths = [sum(heart["length"] for heart in table["hearts"]) for table in tables]
    joined = (folder / FRAMES).exists() and not any(part.frames.exists() for part in parts)
    if not joined:
        join([part.frames for part in parts], lengths, folder / FRAMES)
    starts = np.cumsum([0, *(heart["length"] for heart in hearts)])
    placed = [
        {"name": heart["name"], "start": int(start), **heart} for heart, start in zip(hearts, starts[:-1], strict=True)
    ]
    hashes = {key: [one for table in tables for one in table["hashes"][key]] for key in ("first", "content")}
    skipped = [one for table in tables for one in table["skipped"]]
    write_json(folder / TABLE, {"hearts": placed, "hashes": hashes, "skipped": skipped})
    shutil.rmtree(folder / PARTS, ignore_errors=True)
