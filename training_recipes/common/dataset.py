"""The data set of a job: its folder, phantoms that are written first, held-out videos, and videos as clips."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from omegaconf import MISSING

from echo_augment.augmentor.data import EchoNetDynamic, EchoTable, VideoInfo, open_video, phantom, probe_video
from echo_augment.augmentor.data.ef_units import FACTORS
from echo_augment.augmentor.data.layouts.finding import DataFiles, DataFolder, find_files
from echo_augment.augmentor.data.phantom.sets import RECORDINGS, check_format
from echo_augment.augmentor.data.splits import is_unseen
from echo_augment.augmentor.mcdm.phase import resample_indices
from echo_augment.augmentor.mcdm.training_videos import TrainingVideos
from echo_augment.augmentor.video_format import VideoFormat
from echo_augment.cache.arguments import check_choice, check_number, check_seed, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.locks import FolderLock
from echo_augment.cache.system.progress import follow

from .inputs import check_dataset_folder

PATIENCE = 24 * 3600.0  # seconds: processes that start together wait for the one that writes the set


@dataclass(kw_only=True)
class DataSettings:
    """The data set (``conf/data``).

    Attributes:
        name: ``phantom``; any other name, for instance ``echonet``, is a folder in EchoNet-Dynamic's layout.
        root: the folder; phantoms are written there if it holds none yet. None only in jobs that can do without.
        n: phantoms to write.
        seed: seed of the phantoms.
        splits: shares of the phantoms in TRAIN, VAL and TEST; None for `write_phantoms`' own.
        frames: frames of a phantom's video; None likewise.
        fps: frames per second of a phantom's video; None likewise.
        format: 3 for hearts that move freely, 2 for those that only contract; None likewise.
        population: of the phantoms, ``A`` or ``B``; None likewise.
        recording: ``fixed``, or ``table`` for frame rates and lengths as in EchoNet-Dynamic; None likewise.
        label_noise: standard deviation of the error of TRAIN's and VAL's EF in points; None likewise.
        ef_unit: unit of the table's EF, ``percent``, ``fraction`` or ``hundredths``; None for percent, unless the
            numbers look otherwise, which is an error.
        follow_links: whether a video may be a symbolic link that leads out of the folder.
    """

    name: str = MISSING
    root: str | None = MISSING
    n: int | None = None
    seed: int | None = None
    splits: list[float] | None = None
    frames: int | None = None
    fps: float | None = None
    format: int | None = None
    population: str | None = None
    recording: str | None = None
    label_noise: float | None = None
    ef_unit: str | None = None
    follow_links: bool = True

    def __post_init__(self) -> None:
        if self.name == "phantom":
            check_whole("data.n", self.n, 1)
            check_seed(self.seed, "data.seed")
        if self.splits is not None:
            check_splits("data.splits", self.splits)
        if self.frames is not None:
            check_whole("data.frames", self.frames, 1)
        if self.fps is not None:
            check_number("data.fps", self.fps, 0, above_low=True)
        if self.recording is not None:
            check_choice("data.recording", self.recording, RECORDINGS)
        if self.label_noise is not None:
            check_number("data.label_noise", self.label_noise, 0)
        if self.ef_unit is not None:
            check_choice("data.ef_unit", self.ef_unit, tuple(FACTORS))

    def check_inputs(self) -> None:
        """Raise if the folder lacks its table or its videos; phantoms are written if they are not there.

        Raises:
            EchoAugmentError: with what is missing.
        """
        if self.name != "phantom":
            check_dataset_folder(self.root)
        elif self.root is not None and Path(self.root).is_file():
            raise EchoAugmentError(f"data.root={self.root} is a file", "Give a folder for the phantoms")

    @property
    def folder(self) -> Path:
        """The folder.

        Raises:
            EchoAugmentError: ``root`` is None.
        """
        if self.root is None:
            raise EchoAugmentError("data.root is null, and this job needs a data set", "Add data.root=FOLDER")
        return Path(self.root)


@dataclass(kw_only=True)
class FolderSettings:
    """A data set that a job can do without.

    Attributes:
        root: folder in EchoNet-Dynamic's layout; None for none.
        ef_unit: as in `DataSettings`.
        follow_links: as in `DataSettings`.
    """

    root: str | None = None
    ef_unit: str | None = None
    follow_links: bool = True

    def __post_init__(self) -> None:
        if self.ef_unit is not None:
            check_choice("data.ef_unit", self.ef_unit, tuple(FACTORS))

    def files(self) -> DataFiles | None:
        """Return the tables and how they are read; None for none.

        Raises:
            EchoAugmentError: the folder holds no data set.
        """
        if self.root is None:
            return None
        return find_files(self.root, ef_unit=self.ef_unit, follow_links=self.follow_links)


def check_splits(name: str, splits: Sequence[float]) -> None:
    """Raise if ``splits`` is anything but three shares that sum to 1.

    Raises:
        EchoAugmentError: with the setting's ``name`` and value.
    """
    if len(splits) != 3 or not min(splits) >= 0 or not abs(sum(splits) - 1) <= 1e-6:
        raise EchoAugmentError(f"{name} must be three shares (TRAIN, VAL, TEST) that sum to 1, got {list(splits)}")


def dataset_root(data: DataSettings) -> Path:
    """Return the data set's folder, after writing the phantoms that it lacks.

    Args:
        data: where it is, and which phantoms to write.

    Raises:
        EchoAugmentError: the folder holds a part of another set of phantoms, or phantoms of another format.
    """
    root = data.folder
    if data.name != "phantom":
        return root
    # phantoms.json is written last: if it is there, the set is whole.
    if (root / "phantoms.json").exists():
        check_format(root)
        _say_if_others(root, data)
        return root
    later = {name: getattr(data, name) for name in ("format", "population", "recording", "label_noise")}
    given = {"splits": data.splits, "num_frames": data.frames, "fps": data.fps, **later}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with FolderLock(root / ".writing.lock", PATIENCE):
        phantom.write_phantoms(root, int(data.n or 0), seed=int(data.seed or 0), **options)
    return root


def dataset_files(data: DataSettings) -> DataFiles:
    """Return the data set's tables and how they are read, after writing the phantoms that it lacks.

    Raises:
        EchoAugmentError: as `dataset_root`, or the folder holds no data set.
    """
    return find_files(dataset_root(data), ef_unit=data.ef_unit, follow_links=data.follow_links)


def _say_if_others(root: Path, data: DataSettings) -> None:
    """Print a line if the phantoms in the folder are not those that ``data`` would have written."""
    path = root / "phantom_settings.json"
    if not path.exists():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    found = {"population": "A"} | found
    wanted = {"n": data.n, "seed": data.seed, "format": data.format, "population": data.population}
    if other := [name for name, value in wanted.items() if value is not None and value != found.get(name)]:
        asked, there = (", ".join(f"{name}={values.get(name)}" for name in other) for values in (wanted, found))
        print(f"{root} holds phantoms already, written with {there}: they are used, whatever data says ({asked})")


def held_out_videos(table: EchoTable) -> list[VideoInfo]:
    """The held-out videos of a data set that open: a file that does not open cannot have trained anything."""
    found = []
    for row in table.rows:
        if not is_unseen(row.split):
            continue
        with suppress(EchoAugmentError):
            probe_video(row.path)
            found.append(row)
    return found


@dataclass(frozen=True, slots=True)
class ClipShape:
    """Shape of a generator's clips.

    Attributes:
        num_frames: frames of a clip.
        fps: frames per second.
        image_size: height and width of a frame in pixels.
    """

    num_frames: int
    fps: float
    image_size: int


def middle_clips(
    rows: Sequence[VideoInfo], shape: ClipShape, *, what: str, short: bool = False
) -> Iterator[tuple[VideoInfo, npt.NDArray[np.uint8]]]:
    """Yield the middle of each video as a clip ``(num_frames, image_size, image_size)``.

    Videos that cannot be read are left out, without a word: the caller counts what it got.

    Args:
        rows: videos.
        shape: shape of the clips.
        what: name of the stage.
        short: yield shorter videos as they are, instead of leaving them out.
    """
    form = VideoFormat(size=(shape.image_size, shape.image_size))
    for row in follow(rows, what, unit="video"):
        try:
            with open_video(row.path) as video:
                taken = resample_indices(len(video), video.fps if video.fps > 0 else row.fps, shape.fps)
                if len(taken) < shape.num_frames and not short:
                    continue
                start = max(0, (len(taken) - shape.num_frames) // 2)
                clip = video.read(taken[start : start + shape.num_frames])
        except EchoAugmentError:
            continue
        yield row, form.resize(clip)


def training_videos(root: DataFolder) -> TrainingVideos:
    """Hash the TRAIN videos of a data set, by which VAL and TEST of another one are told apart from them."""
    paths = [row.path for row in EchoNetDynamic(root, "train", "EF", require_tracings=False, on_error="skip").rows]
    return TrainingVideos.of(follow(paths, "hashes", unit="video"))
