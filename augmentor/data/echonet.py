"""`EchoNetDynamic`: a drop-in for `echonet.datasets.Echo` that is faster and reproducible, for a current NumPy."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from echo_augment.cache.arguments import check_choice, check_seed, check_share, check_whole
from echo_augment.cache.errors import EchoAugmentError

from ..workers import SharedEpoch
from .csv_files import VIDEO_SUFFIXES
from .ef_units import EFUnit
from .layouts.finding import DataFiles, DataFolder, find_files
from .packed import PackedVideo, PackedVideos
from .probe import disagreement, warn_of_disagreements
from .records import VideoInfo
from .sampling import Choice, Clips, Scale, black_out, check_scale, choose, crop_padded
from .selection import CLINICAL, ON_ERROR, OnError, Skipped, openable, select_rows
from .splits import SplitChoice
from .table import read_table
from .targets import TRACED, Pictures, Targets
from .tracing import TraceOrder, Tracing
from .video import VideoFile, open_video

EXTERNAL = "EXTERNAL_TEST"
SKIPPED_NAMED = 3

Video = VideoFile | PackedVideo
Sample = tuple[npt.NDArray[np.float32], Any]


class EchoNetDynamic(Dataset[Sample]):
    """Clips and targets of EchoNet-Dynamic: a drop-in for ``echonet.datasets.Echo`` (Ouyang et al., Nature 2020).

    Arguments and targets are the same, and for the same start frame the values are equal to the last bit. What differs:

    - only the frames of the sample are decoded;
    - a sample is a pure function of ``(seed, epoch, index)``: the same with any number of workers, however started;
    - EchoNet-Pediatric (one view's folder, or the one above for all) and EchoNet-LVH (targets ``LVIDd``, ``IVSd``, ...)
      are read as they ship; names come with or without ``.avi``, splits in any case or as fold numbers;
    - each bad input gives one clear error or, with ``on_error="skip"``, an entry in ``skipped``.

    As in ``echonet``, videos with fewer than two traced frames are left out; they are in ``skipped``.

    >>> import tempfile
    >>> from echo_augment.augmentor.data.phantom import write_phantoms
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = write_phantoms(folder, 2, num_frames=60, workers=1, splits=(1, 0, 0))
    ...     clip, ef = EchoNetDynamic(root, "train", mean=32.0, std=50.0, length=16, period=2)[0]
    >>> clip.shape, clip.dtype, round(float(ef))
    ((3, 16, 112, 112), dtype('float32'), 56)

    Args:
        root: folder of the dataset, as `read_table` takes it; not used with ``split="external_test"``.
        split: ``"train"``, ``"val"``, ``"test"``, ``"all"``, ``"external_test"``, ``"clinical_test"``, any other word
            of the Split column, a fold number, ``"fold:0,1"``, or a list of these. For a table with fold numbers the
            words mean EchoNet-Pediatric's convention: 0-7 train, 8 val, 9 test.
        target_type: one of ``Filename``, ``EF``, ``EDV``, ``ESV``, ``LargeIndex``, ``SmallIndex``, ``LargeFrame``,
            ``SmallFrame``, ``LargeTrace``, ``SmallTrace`` or a column of FileList.csv; or a list, which gives a tuple.
        mean: subtracted from the 0-255 grey values; a number or one per channel ``(3,)``.
        std: divides them, likewise.
        length: frames a clip; None for as many as the video gives.
        period: step from one frame of a clip to the next, in frames of the video.
        max_length: upper limit of the length, or None.
        clips: clips a sample; ``"all"`` for one at each possible start.
        pad: pixels of zero border from which a random window of the original size is cut, or None.
        noise: share of pixels to black out, in [0, 1], or None.
        target_transform: function of the target, or None.
        external_test_location: folder of videos for ``split="external_test"``.
        seed: seed of all random choices, 0 or more.
        on_error: ``"raise"`` on the first bad row; ``"skip"`` leaves bad rows out, opens every video once to leave out
            bad files too, and lists all in ``skipped``.
        require_tracings: leave out videos with fewer than two traced frames. None means yes if VolumeTracings.csv can
            be read, as in ``echonet``.
        store: folder into which ``echo-augment cache action=pack`` has packed this dataset: the samples are the same,
            and no video is decoded. The video files must stay, unread. None reads them.
        ef_unit: unit of the table's EF, as in `read_table`; the target is in percent.
        follow_links: whether a video may be a symbolic link that leads out of the folder.
        traces: ``"area"``: of a video's traced frames the smaller is ES and the larger ED, whatever the file's order;
            ``"file"``: the first is ES and the last ED, as in `echonet`.

    Attributes:
        files: the tables that the rows are of; None with ``split="external_test"``.
        rows: `VideoInfo` of each item.
        fnames: file name of each item.
        outcome: fields of each item's row, in the order of ``header``.
        header: columns of FileList.csv.
        frames: file name -> traced frames, small first.
        trace: file name -> frame -> tracing.
        skipped: ``(name, reason)`` of the videos left out.

    Raises:
        EchoAugmentError: an argument is out of range, a folder or file cannot be used, the split is empty, or with
            ``on_error="raise"`` a row is bad. A broken video raises when it is read.

    A sample is ``(clip, target)``: the clip ``(3, length, H, W)`` float32, or ``(clips, 3, length, H, W)`` unless
    ``clips`` is 1. Frames past a short video's end are zero.
    """

    def __init__(
        self,
        root: DataFolder | None = None,
        split: SplitChoice = "train",
        target_type: str | Sequence[str] = "EF",
        mean: Scale = 0.0,
        std: Scale = 1.0,
        length: int | None = 16,
        period: int = 2,
        max_length: int | None = 250,
        clips: Clips = 1,
        pad: int | None = None,
        noise: float | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        external_test_location: str | Path | None = None,
        *,
        seed: int = 0,
        on_error: OnError = "raise",
        require_tracings: bool | None = None,
        store: str | Path | None = None,
        ef_unit: EFUnit | None = None,
        follow_links: bool = True,
        traces: TraceOrder = "area",
    ) -> None:
        self.root = root.root if isinstance(root, DataFiles) else root
        self.split = split.upper() if isinstance(split, str) else split
        self.target_type = [target_type] if isinstance(target_type, str) else list(target_type)
        self.mean, self.std = mean, std
        self.length, self.period, self.max_length = length, period, max_length
        self.clips: Clips = clips
        self.pad, self.noise = pad, noise
        self.target_transform = target_transform
        self.external_test_location = external_test_location
        self.seed = seed
        self.on_error = on_error
        self._check_arguments()
        self._epoch, self._compared = SharedEpoch(), SharedEpoch()  # the second: 1 once table and file have differed

        self.header: list[str] = []
        self.skipped: list[Skipped] = []
        self.files: DataFiles | None = None
        tracings: dict[str, dict[int, Tracing]] = {}
        if self.split == EXTERNAL:
            rows = self._external_rows()
        elif root is None:
            raise EchoAugmentError("root is None", "Give the folder of the dataset")
        else:
            table = read_table(self._find(root), ef_unit=ef_unit, follow_links=follow_links, traces=traces)
            self.files, self.header, tracings = table.files, list(table.header), table.tracings
            rows, self.skipped = select_rows(
                table, split, self.target_type, on_error=on_error, require_tracings=require_tracings
            )
        self.store = None if store is None else PackedVideos(store)
        if on_error == "skip":
            rows, unreadable = openable(rows) if self.store is None else self.store.select(rows)
            self.skipped += unreadable
        elif self.store is not None:
            for row in rows:
                self.store.video(row)
        if not rows:
            raise self._empty()
        self.rows: list[VideoInfo] = rows
        self.fnames = [row.file_name for row in rows]
        self.targets = Targets(rows, self.header, tracings, labelled=self.split not in (CLINICAL, EXTERNAL))
        self.outcome, self.trace, self.frames = self.targets.outcome, self.targets.trace, self.targets.frames

    # ------------------------------------------------------------------------------------------------ the items
    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of a dataset of {len(self)}")
        index %= len(self)
        with self.open(index) as video:
            return self._read(index, video, self.choose(index, len(video)))

    def at_tempo(self, index: int, tempo: float) -> tuple[Sample, bool]:
        """Return item ``index`` with its heart beating ``tempo`` times as fast, and True: its frames are read so."""
        with self.open(index) as video:
            count = len(video)
            return self._read(index, video, self.choose(index, count).at_tempo(tempo, self.period, count)), True

    def choose(self, index: int, frames: int) -> Choice:
        """Return what item ``index`` draws in this epoch for a video of ``frames`` frames, without reading it."""
        return choose(
            np.random.default_rng([self.seed, self.epoch, index]),
            frames,
            length=self.length,
            period=self.period,
            max_length=self.max_length,
            clips=self.clips,
            pad=self.pad,
            noise=self.noise,
        )

    def read(self, index: int, choice: Choice) -> Sample:
        """Return item ``index`` with a given choice instead of a drawn one."""
        with self.open(index) as video:
            return self._read(index, video, choice)

    @contextmanager
    def open(self, index: int) -> Iterator[Video]:
        """Open the video of item ``index``, from the store if there is one, else from its file."""
        if self.store is not None:
            yield self.store.video(self.rows[index])
            return
        row = self.rows[index]
        with open_video(row.path) as video:
            if not self._compared.get() and (said := disagreement(row, video.fps, len(video))):
                self._compared.set(1)
                warn_of_disagreements([f"{row.path}: {said}"])
            yield video

    @property
    def epoch(self) -> int:
        """Return the epoch whose random choices are drawn."""
        return self._epoch.get()

    def set_epoch(self, epoch: int) -> None:
        """Draw other random choices from now on, in worker processes too, persistent ones included."""
        self._epoch.set(epoch)

    def __repr__(self) -> str:
        return (
            f"EchoNetDynamic({str(self.root)!r}, split={self.split!r}, target_type={self.target_type}, n={len(self)})"
        )

    # ---------------------------------------------------------------------------------------------- one sample
    def _read(self, index: int, video: Video, choice: Choice) -> Sample:
        count = len(video)
        frames = choice.frames(self.period)
        pictured = self.targets.pictured(self.target_type, index, count)
        inside = frames[frames < count]
        needed = np.unique(np.concatenate((inside.ravel(), np.array(list(pictured.values()), np.int64))))
        pixels = video.read(needed, rgb=True)
        if self.noise is not None and choice.noise_seed is not None:
            pixels = black_out(pixels, self.noise, choice.noise_seed)
        # One more picture, of zeros, stands for the frames past the end; zero after normalisation, as in `echonet`.
        beyond = bool((frames >= count).any())
        pictures = np.empty((3, len(needed) + beyond, *video.shape), np.float32)
        pictures[:, len(needed) :] = 0
        self._normalise(np.moveaxis(pixels, -1, 0), pictures[:, : len(needed)])
        slots = np.where(frames < count, np.searchsorted(needed, frames), len(needed))
        if len(slots) == 1 and np.array_equal(slots[0], np.arange(pictures.shape[1])):
            taken = pictures[None]  # the usual sample: every picture once, in order
        else:
            taken = np.stack([np.take(pictures, row, axis=1) for row in slots])
        clip = taken[0] if self.clips == 1 else taken
        if self.pad and choice.corner is not None:
            clip = crop_padded(clip, self.pad, choice.corner)
        drawn = {name: pictures[:, np.searchsorted(needed, frame)].copy() for name, frame in pictured.items()}
        return clip, self._target(index, video.shape, drawn)

    def _normalise(self, pixels: npt.NDArray[np.uint8], out: npt.NDArray[np.float32]) -> None:
        """Set ``out`` to ``(pixels - mean) / std``, channels first, by the very operations `echonet` uses."""
        plain = isinstance(self.mean, float | int) and isinstance(self.std, float | int)
        if plain and np.array_equal(pixels[0], pixels[2]):  # as in EchoNet's files: not computed twice
            self._scale(pixels[:2], out[:2])
            out[2] = out[0]
        else:
            self._scale(pixels, out)

    def _scale(self, pixels: npt.NDArray[np.uint8], out: npt.NDArray[np.float32]) -> None:
        out[:] = pixels
        out -= self.mean if isinstance(self.mean, float | int) else np.asarray(self.mean).reshape(-1, 1, 1, 1)
        out /= self.std if isinstance(self.std, float | int) else np.asarray(self.std).reshape(-1, 1, 1, 1)

    def _target(self, index: int, shape: tuple[int, int], pictures: Pictures) -> Any:
        target = [self.targets.value(name, index, shape, pictures) for name in self.target_type]
        if not target:
            return target
        result = tuple(target) if len(target) > 1 else target[0]
        return result if self.target_transform is None else self.target_transform(result)

    # ------------------------------------------------------------------------------------------- construction
    def _check_arguments(self) -> None:
        for name, value, low in (("length", self.length, 1), ("max_length", self.max_length, 1), ("pad", self.pad, 0)):
            if value is not None:
                check_whole(name, value, low)
        check_whole("period", self.period, 1)
        check_whole("clips", 1 if self.clips == "all" else self.clips, 1)
        check_seed(self.seed)
        if self.noise is not None:
            check_share("noise", self.noise)
        check_scale("mean", self.mean)
        check_scale("std", self.std, divides=True)
        check_choice("on_error", self.on_error, ON_ERROR)

    def _find(self, root: DataFolder) -> DataFiles:
        """Return the tables of the folder."""
        return find_files(root)

    def _external_rows(self) -> list[VideoInfo]:
        """Return the videos of ``external_test_location`` and list its other files in ``skipped``."""
        if self.external_test_location is None or not Path(self.external_test_location).is_dir():
            remedy = "Give the folder of the external videos"
            raise EchoAugmentError(f"external_test_location is {self.external_test_location!r}", remedy)
        if not TRACED.isdisjoint(self.target_type):
            raise EchoAugmentError(f"external videos have no tracings, target_type is {self.target_type}")
        paths = sorted(Path(self.external_test_location).iterdir())
        videos = [path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES]
        self.skipped += [Skipped(path.name, "not a video by its suffix") for path in paths if path not in videos]
        return [VideoInfo(path.stem, path, split=EXTERNAL) for path in videos]

    def _empty(self) -> EchoAugmentError:
        """Return the error for a split without a usable video."""
        where = self.external_test_location if self.split == EXTERNAL else self.root
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.skipped[:SKIPPED_NAMED])
        return EchoAugmentError(
            f"{where}: no usable video in split {self.split!r}" + (f" ({reasons})" if reasons else ""),
            "echo-augment doctor lists what is wrong; require_tracings=False keeps videos without tracings",
        )
