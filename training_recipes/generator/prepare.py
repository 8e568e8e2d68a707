"""The training videos in one memory-mapped array, so that a batch of any stage is a few slices."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import Skipped, VideoInfo, content_hash, probe_video, read_video
from echo_augment.augmentor.mcdm.phase import Heart, make_heart
from echo_augment.augmentor.mcdm.training_videos import TrainingVideos
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path, write_json
from echo_augment.cache.system.progress import follow

FRAMES, TABLE = "frames.npy", "hearts.json"
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


def prepare(rows: Sequence[VideoInfo], folder: Path, *, rate: float, size: int, monitor: float = 0.05) -> Prepared:
    """Decode, resample and lay out the videos; the ED and ES frame of each are found on the way.

    Args:
        rows: TRAIN videos, labelled or not.
        folder: where ``frames.npy`` and ``hearts.json`` go; what is there already is loaded.
        rate: the generator's frames per second; twice as many are kept.
        size: side of a frame in pixels.
        monitor: share of the videos kept aside, at least one.

    Raises:
        EchoAugmentError: fewer than 3 usable videos.
    """
    index = folder / TABLE
    if not index.exists():
        _write(rows, folder, rate, size)
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


def _write(rows: Sequence[VideoInfo], folder: Path, rate: float, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table: list[dict[str, str | int]] = []
    hashes: dict[str, list[str]] = {"first": [], "content": []}
    skipped: list[Skipped] = []
    total = 0
    with atomic_path(folder / FRAMES) as temporary:
        raw = temporary.with_name(temporary.name + ".raw")
        try:
            with raw.open("wb") as file:
                for row in follow(rows, "prepare", unit="video"):
                    try:
                        frames, fps = read_video(row.path)
                        fps = fps if np.isnan(row.fps) else row.fps
                        heart = make_heart(row.name, frames, fps, rate=rate, size=size)
                        first, content = probe_video(row.path).first, content_hash(row.path)
                    except EchoAugmentError as error:
                        skipped.append(Skipped(row.name, str(error)))
                        continue
                    file.write(heart.frames.tobytes())
                    length = len(heart.frames)
                    table.append({"name": row.name, "start": total, "length": length, "ed": heart.ed, "es": heart.es})
                    hashes["first"].append(first)
                    hashes["content"].append(content)
                    total += length
            if len(table) < FEWEST:
                raise EchoAugmentError(
                    f"only {len(table)} of {len(rows)} TRAIN videos can be used",
                    f"Run echo-augment doctor on the folder; the generator needs at least {FEWEST} videos",
                )
            shape = (total, size, size)
            target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            source: npt.NDArray[np.uint8] = np.memmap(raw, dtype=np.uint8, mode="r", shape=shape)
            for start in range(0, total, 4096):
                target[start : start + 4096] = source[start : start + 4096]
            target.flush()
        finally:
            raw.unlink(missing_ok=True)
    notes = [one._asdict() for one in skipped]
    write_json(folder / TABLE, {"hearts": table, "hashes": hashes, "skipped": notes})
