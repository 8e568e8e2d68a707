"""Ready-made clips that are measured in a generator's place: a cache, or a folder of videos as others write them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import EchoTable, open_video
from echo_augment.augmentor.data.importers.frame_rate import LEAST, MOST
from echo_augment.augmentor.data.importers.videos import find_videos
from echo_augment.augmentor.sources.cached import CachedClips
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.manifest import SHARDS
from echo_augment.cache.system.files import JsonValue
from echo_augment.cache.system.progress import follow

TABLE = "FileList.csv"
REMEDY = "Save it again, or take it out of the folder"


@dataclass(frozen=True, slots=True)
class Forms:
    """Frame rates and sizes of videos, each once and sorted.

    Attributes:
        fps: frames per second.
        sizes: ``(H, W)`` in pixels.
    """

    fps: tuple[float, ...]
    sizes: tuple[tuple[int, int], ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Return them as ``report.json`` has them."""
        return {"fps": [*self.fps], "sizes": [[*size] for size in self.sizes]}

    def __str__(self) -> str:
        """Return them in words, the least and the largest.

        >>> print(Forms((25.0, 50.0), ((112, 112),)))
        112 x 112 pixels, 25 to 50 frames a second
        """
        ends = [f"{height} x {width}" for height, width in (self.sizes[0], self.sizes[-1])]
        rates = [f"{fps:.4g}" for fps in (self.fps[0], self.fps[-1])]
        sizes, fps = (" to ".join(dict.fromkeys(values)) for values in (ends, rates))
        return f"{sizes} pixels, {fps} frames a second"


class VideoClips:
    """The videos of a folder and its subfolders as a source of gray clips without labels, sorted by path.

    A video is a file with a video's suffix or first bytes: AVI, MP4, MOV, MKV, WebM, GIF, ... Every header is read at
    once, the frames of a video when it is asked for.

    Args:
        folder: of the videos.

    Attributes:
        paths: of the videos.
        forms: their frame rates and sizes, by which nothing is changed here.

    Raises:
        EchoAugmentError: there is no such folder; it holds no video, or a table of labels, which would pass unread; or
            a video cannot be opened or states no plausible frame rate.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise EchoAugmentError(f"there is no folder {folder}", "Give a cache or a folder of videos")
        if (self.folder / TABLE).is_file():
            raise EchoAugmentError(
                f"{self.folder / TABLE}: this table's labels would not be read",
                f"Make the set a cache (echo-augment cache action=import data.root={folder} provenance=MAKERS "
                "cache=FOLDER) and give that; or give its folder of videos alone, which is measured without labels",
            )
        try:
            self.paths = [source.path for source in find_videos(self.folder)]
        except OSError as error:
            raise EchoAugmentError(
                f"{error.filename}: cannot be read ({error.strerror})", "Check its permissions"
            ) from error
        if not self.paths:
            raise EchoAugmentError(
                f"{folder} holds neither a cache nor a video", "Give what fill-cache wrote, or a folder of videos"
            )
        headers = [header(path) for path in follow(self.paths, f"headers in {folder}", unit="video")]
        self.forms = Forms(
            tuple(sorted({round(fps, 3) for fps, _ in headers})), tuple(sorted({size for _, size in headers}))
        )

    @property
    def ef(self) -> npt.NDArray[np.float64]:
        """NaN for every video, ``(N,)``: a folder has no labels."""
        return np.full(len(self), np.nan)

    @property
    def fingerprint(self) -> str:
        """``videos-`` and 16 digits of a SHA-256 of the files and their names; all of them are read for it."""
        digest = hashlib.sha256()
        for path in self.paths:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{content} {path.relative_to(self.folder).as_posix()}\n".encode())
        return f"videos-{digest.hexdigest()[:16]}"

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> EchoClip:
        path = self.paths[index]
        try:
            with open_video(path) as video:
                return EchoClip(path.relative_to(self.folder).as_posix(), video.read(), video.fps)
        except EchoAugmentError as error:
            raise EchoAugmentError(error.message, REMEDY) from error

    def refuse(self, table: EchoTable) -> None:
        """Refuse a folder in which videos of a data set lie that the clips shall be held against.

        Raises:
            EchoAugmentError: naming the first one.
        """
        real = {row.path.resolve() for row in table.rows}
        both = [path for path in self.paths if path.resolve() in real]
        if both:
            raise EchoAugmentError(
                f"{both[0]}: is one of the real videos of {table.root} ({len(both)} of {len(self)} in {self.folder})",
                "Give a folder of clips that were made",
            )


def header(path: Path) -> tuple[float, tuple[int, int]]:
    """Return a video's frames per second and its ``(H, W)``.

    Raises:
        EchoAugmentError: it cannot be opened, or states no frame rate of an echocardiogram.
    """
    try:
        with open_video(path) as video:
            fps, size = video.fps, video.shape
    except EchoAugmentError as error:
        raise EchoAugmentError(error.message, REMEDY) from error
    if not LEAST <= fps <= MOST:
        raise EchoAugmentError(
            f"{path}: states {fps:g} frames a second, not {LEAST:g} to {MOST:g}", "Save it with its true frame rate"
        )
    return fps, size


def ready_made(folder: str | Path, table: EchoTable) -> CachedClips | VideoClips:
    """Return the clips of a cache, or of a folder of videos.

    Args:
        folder: of either.
        table: the real videos that they shall be held against.

    Raises:
        EchoAugmentError: it is neither, holds real clips, or a video in it cannot be used.
    """
    if (Path(folder) / SHARDS).is_dir():
        return CachedClips(folder)
    videos = VideoClips(folder)
    videos.refuse(table)
    return videos
