"""The training hearts in one memory-mapped array, so that a batch of any stage is a few slices."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from echo_augment.augmentor.data import VideoInfo, content_hash, probe_video, read_video
from echo_augment.augmentor.mcdm.hearts import Heart, make_heart
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path, write_json


@dataclass(frozen=True)
class Prepared:
    """Hearts at twice the generator's rate, in ``frames.npy`` and ``hearts.json`` of ``folder``.

    Attributes:
        folder: where they lie.
        hearts: their frames are slices of the one memory map.
        starts: index of each heart's first frame in the whole array.
        monitored: how many hearts, the last ones, are kept from training to watch it (TRAIN hearts; VAL stays unseen).
        hashes: ``{"first": [...], "content": [...]}`` of the videos, for the leak guard.
        skipped: videos that could not be used: name and reason.
    """

    folder: Path
    hearts: list[Heart]
    starts: list[int]
    monitored: int
    hashes: dict[str, list[str]]
    skipped: list[dict[str, str]]

    @property
    def training(self) -> list[Heart]:
        """The hearts that train."""
        return self.hearts[: len(self.hearts) - self.monitored]

    @property
    def watched(self) -> list[Heart]:
        """The TRAIN hearts kept aside to watch the training."""
        return self.hearts[len(self.hearts) - self.monitored :]

    @property
    def total(self) -> int:
        """Frames in all."""
        return self.starts[-1] + len(self.hearts[-1].frames)


def prepare(rows: Sequence[VideoInfo], folder: Path, *, rate: float, size: int, monitor: float = 0.05) -> Prepared:
    """Decode, resample and lay out the videos; the ED and ES frame of each are found on the way.

    Args:
        rows: TRAIN videos, labelled or not.
        folder: where ``frames.npy`` and ``hearts.json`` go; what is there already is loaded.
        rate: the generator's frames per second; twice as many are kept.
        size: side of a frame in pixels.
        monitor: share of the hearts kept aside, at least one.

    Raises:
        EchoAugmentError: fewer than 3 usable videos.
    """
    index = folder / "hearts.json"
    if not index.exists():
        _write(rows, folder, rate, size)
    table = json.loads(index.read_text(encoding="utf-8"))
    frames = np.load(folder / "frames.npy", mmap_mode="r", allow_pickle=False)
    hearts, starts = [], []
    for row in table["hearts"]:
        starts.append(row["start"])
        hearts.append(Heart(row["name"], frames[row["start"] : row["start"] + row["length"]], row["ed"], row["es"]))
    monitored = max(1, round(monitor * len(hearts)))
    return Prepared(folder, hearts, starts, monitored, table["hashes"], table["skipped"])


def _write(rows: Sequence[VideoInfo], folder: Path, rate: float, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    hearts: list[dict[str, object]] = []
    skipped: list[dict[str, str]] = []
    hashes: dict[str, list[str]] = {"first": [], "content": []}
    total = 0
    with atomic_path(folder / "frames.npy") as temporary:
        raw = temporary.with_name(temporary.name + ".raw")
        try:
            with raw.open("wb") as file:
                for row in tqdm(rows, desc="prepare", unit="video", mininterval=1.0):
                    try:
                        frames, fps = read_video(row.path)
                        fps = fps if np.isnan(row.fps) else row.fps
                        heart = make_heart(row.name, frames, fps, rate=rate, size=size)
                        first, content = probe_video(row.path).first, content_hash(row.path)
                    except EchoAugmentError as error:
                        skipped.append({"name": row.name, "reason": str(error)})
                        continue
                    file.write(heart.frames.tobytes())
                    hearts.append(
                        {"name": row.name, "start": total, "length": len(heart.frames), "ed": heart.ed, "es": heart.es}
                    )
                    hashes["first"].append(first)
                    hashes["content"].append(content)
                    total += len(heart.frames)
            if len(hearts) < 3:
                raise EchoAugmentError(
                    f"only {len(hearts)} of {len(rows)} TRAIN videos can be used",
                    "Run echo-augment doctor on the folder; the generator needs at least 3 hearts",
                )
            shape = (total, size, size)
            target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            source: npt.NDArray[np.uint8] = np.memmap(raw, dtype=np.uint8, mode="r", shape=shape)
            for start in range(0, total, 4096):
                target[start : start + 4096] = source[start : start + 4096]
            target.flush()
        finally:
            raw.unlink(missing_ok=True)
    write_json(folder / "hearts.json", {"hearts": hearts, "hashes": hashes, "skipped": skipped})
