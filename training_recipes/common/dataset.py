"""The data set of a job: its folder, phantoms that are written first, held-out videos, and videos as clips."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from omegaconf import DictConfig
from tqdm import tqdm

from echo_augment.augmentor.data import (
    EchoNetDynamic,
    EchoTable,
    VideoInfo,
    open_video,
    phantom,
    probe_video,
)
from echo_augment.augmentor.data.phantom.writing import check_format
from echo_augment.augmentor.mcdm.hearts import resample_indices
from echo_augment.augmentor.mcdm.training_videos import TrainingVideos
from echo_augment.augmentor.video_format import VideoFormat
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.locks import FolderLock

PATIENCE = 24 * 3600.0  # seconds: processes that start together wait for the one that writes the set


def _say_others(root: Path, data: DictConfig | Mapping[str, Any]) -> None:
    """Say where the phantoms that are there are not those that ``data`` would have written."""
    path = root / "phantom_settings.json"
    if not path.exists():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    if other := [name for name in ("n", "seed") if data.get(name) is not None and data[name] != found.get(name)]:
        asked, there = (", ".join(f"{name}={of.get(name)}" for name in other) for of in (data, found))
        print(f"{root} holds phantoms already, written with {there}: they are used, whatever data says ({asked})")


def dataset_root(data: DictConfig | Mapping[str, Any]) -> Path:
    """The data set's folder; phantoms are written where there are none yet, or only in part.

    Args:
        data: the configuration group ``data``: ``name``, ``root``, and for phantoms ``n``, ``seed`` and, where given,
            ``splits`` (shares of TRAIN, VAL and TEST).

    Raises:
        EchoAugmentError: ``root`` holds a part of another set of phantoms, or phantoms of another look.
    """
    root = Path(data["root"])
    if data["name"] != "phantom":
        return root
    # phantoms.json is written last: where it is, the set is whole.
    if (root / "phantoms.json").exists():
        check_format(root)
        _say_others(root, data)
    else:
        more: dict[str, Any] = {"splits": tuple(data["splits"])} if data.get("splits") else {}
        with FolderLock(root / ".writing.lock", PATIENCE):
            phantom.write_phantoms(root, data["n"], seed=data["seed"], **more)
    return root


def held_out_videos(table: EchoTable) -> list[VideoInfo]:
    """The VAL and TEST videos of a data set that open: a file that does not open cannot have trained anything."""
    found = []
    for row in table.rows:
        if row.split not in ("VAL", "TEST"):
            continue
        with suppress(EchoAugmentError):
            probe_video(row.path)
            found.append(row)
    return found


def heart_clips(
    rows: Sequence[VideoInfo], *, frames: int, rate: float, size: int, what: str, short: bool = False
) -> Iterator[tuple[VideoInfo, npt.NDArray[np.uint8]]]:
    """The middle of each video as a clip ``(frames, size, size)``; videos that cannot be read are left out.

    Args:
        rows: videos.
        frames: of a clip.
        rate: frames per second of a clip.
        size: of a frame in pixels.
        what: title of the progress bar.
        short: give shorter videos as they are, instead of leaving them out.
    """
    form = VideoFormat(size=(size, size))
    for row in tqdm(rows, desc=what, unit="heart", mininterval=1.0):
        try:
            with open_video(row.path) as video:
                taken = resample_indices(len(video), row.fps if row.fps > 0 else video.fps, rate)
                if len(taken) < frames and not short:
                    continue
                start = max(0, (len(taken) - frames) // 2)
                clip = video.read(taken[start : start + frames])
        except EchoAugmentError:
            continue  # whoever asks counts what it got
        yield row, form.resize(clip)


def training_videos(root: str) -> TrainingVideos:
    """Hash the TRAIN videos of a data set, by which VAL and TEST of another one are told apart from them."""
    paths = [row.path for row in EchoNetDynamic(root, "train", "EF", require_tracings=False, on_error="skip").rows]
    return TrainingVideos.of(tqdm(paths, desc="hashes", unit="video"))
