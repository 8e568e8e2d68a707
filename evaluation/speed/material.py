"""What the tables measure on: the same videos whole, cut short, in a cache and as a plain array."""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import EchoNetDynamic, VideoInfo, read_video, write_video
from echo_augment.augmentor.data.layouts.finding import DataFiles
from echo_augment.augmentor.data.packing import pack
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import EchoAugmentError, EchoClip, StoreWriter

CLIP, WHOLE = 64, 200  # frames of a clip and of a phantom's whole video (echonet's have about as many)
FPS = 50.0
LENGTH, PERIOD, PAD = 32, 2, 12  # echonet's EF recipe
Frames = npt.NDArray[np.uint8]
MEAN, STD = 32.7, 49.9  # grey levels; about those of EchoNet-Dynamic


class SampleForm(TypedDict):
    """Keyword arguments by which every reader here makes its samples."""

    length: int
    period: int
    mean: float
    std: float


SAMPLE = SampleForm(length=LENGTH, period=PERIOD, mean=MEAN, std=STD)


@dataclass(frozen=True, kw_only=True)
class Material:
    """Videos in every form that is read.

    Attributes:
        root: folder in EchoNet-Dynamic's layout with these videos alone, all of TRAIN.
        packed: the same as a store of real clips.
        names: of the videos, without suffix.
        frames: number of frames of each video.
        short: folder with their first 64 frames as AVI.
        cache: folder of a cache of these 64 frames; ids are the names.
        stack: ``(N, 64, H, W)`` uint8 ``.npy`` of the same.
        phantoms: whether they are phantoms.
        work: folder for whatever else a table writes; removed afterwards.
    """

    root: Path
    packed: Path
    names: tuple[str, ...]
    frames: tuple[int, ...]
    short: Path
    cache: Path
    stack: Path
    phantoms: bool
    work: Path

    @property
    def words(self) -> str:
        """Return what was measured on, in words."""
        kind = "phantoms" if self.phantoms else "videos of the given data set"
        return f"{len(self.names)} {kind} of {np.median(self.frames):.0f} frames"


def prepare(data: DataFiles | None, out: Path, work: Path, *, videos: int, seed: int) -> Material:
    """Read, or render, the videos and write their other forms into ``work``.

    Args:
        data: a dataset; None writes phantoms to ``out / "phantoms"``, or uses those that are there.
        out: folder of the job's results.
        work: an empty folder.
        videos: how many at most.
        seed: of the phantoms.

    Raises:
        EchoAugmentError: no TRAIN video of the dataset has 64 frames, or one cannot be read or packed.
    """
    phantoms, root = data is None, out / "phantoms" if data is None else data.root
    if phantoms:
        write_phantoms(root, videos, seed=seed, num_frames=WHOLE, fps=FPS, splits=(1.0, 0.0, 0.0))
    read = EchoNetDynamic(root if data is None else data, "train", "EF", **SAMPLE)
    rows, frames, clips = list[VideoInfo](), list[int](), list[Frames]()
    shape: tuple[int, ...] | None = None
    for row in read.rows:
        if len(rows) == videos:
            break
        video, _ = read_video(row.path)
        if len(video) < CLIP or video.shape[1:] != (shape or video.shape[1:]):
            continue
        shape = video.shape[1:]
        rows.append(row)
        frames.append(len(video))
        clips.append(video[:CLIP].copy())
    if not rows:
        raise EchoAugmentError(
            f"{root}: no TRAIN video has {CLIP} frames", "Give another data.root, or none for phantoms"
        )
    names = [row.name for row in rows]
    whole = _whole(read.header, rows, root / "VolumeTracings.csv", work / "whole")
    return Material(
        root=whole,
        packed=_packed(whole, work / "packed"),
        names=tuple(names),
        frames=tuple(frames),
        short=_short(names, clips, work / "short"),
        cache=_cache(names, clips, work / "cache"),
        stack=_stack(clips, work / "stack.npy"),
        phantoms=phantoms,
        work=work,
    )


def _whole(header: list[str], rows: list[VideoInfo], tracings: Path, folder: Path) -> Path:
    """Write a dataset of these videos alone."""
    (folder / "Videos").mkdir(parents=True)
    for row in rows:
        shutil.copyfile(row.path, folder / "Videos" / row.path.name)
    _write_table(folder / "FileList.csv", header, [row.values for row in rows])
    if tracings.is_file():
        names = {name for row in rows for name in (row.name, row.path.name)}
        with tracings.open(newline="", encoding="utf-8") as file:
            lines = csv.DictReader(file)
            mine = [list(line.values()) for line in lines if line.get("FileName") in names]
        _write_table(folder / tracings.name, list(lines.fieldnames or ()), mine)
    return folder


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _packed(root: Path, folder: Path) -> Path:
    pack(root, folder, on_error="raise")
    return folder


def _short(names: list[str], clips: list[Frames], folder: Path) -> Path:
    for name, clip in zip(names, clips, strict=True):
        write_video(folder / f"{name}.avi", clip, FPS)
    return folder


def _cache(names: list[str], clips: list[Frames], folder: Path) -> Path:
    with StoreWriter(folder) as writer:
        for name, clip in zip(names, clips, strict=True):
            writer.add(EchoClip(name, clip, FPS, ef=55.0, ed_frame=0, es_frame=20))
    return folder


def _stack(clips: list[Frames], path: Path) -> Path:
    np.save(path, np.stack(clips))
    return path
