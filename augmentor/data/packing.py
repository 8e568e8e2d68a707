"""Pack a real dataset's decoded videos into the clip store, so that training decodes no video."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from echo_augment.cache import ClipStore, EchoClip, Provenance, StoreWriter
from echo_augment.cache.clip import REAL
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.manifest import list_shards, open_manifest
from echo_augment.cache.system.files import file_hash
from echo_augment.cache.system.limits import cannot_write
from echo_augment.cache.system.locks import hold
from echo_augment.cache.system.signals import SafeStop
from echo_augment.cache.writer import clear_leavings

from .layouts.finding import DataFolder
from .packed import PackedVideos, tint_tables
from .probe import frames_hash
from .records import VideoInfo
from .selection import OnError, Skipped
from .table import read_table
from .video import read_video

ROUND_FRAMES = 64  # EchoNet's videos have 28 to 1,002 frames: 16 lengths of shards instead of hundreds


@dataclass(frozen=True, slots=True)
class Packing:
    """What a packing did.

    Attributes:
        folder: folder of the store.
        wanted: usable videos in FileList.csv, of all splits.
        packed: how many of these the store now holds.
        new: videos packed by this run, each read back and found equal.
        skipped: videos that could not be packed, with reasons.
        size: bytes of the store.
        seconds: time that this run took.
    """

    folder: Path
    wanted: int
    packed: int
    new: int
    skipped: tuple[Skipped, ...]
    size: int
    seconds: float

    def to_json(self) -> dict[str, str | float | list[dict[str, str]]]:
        """Return the fields by name, for a report."""
        return {**asdict(self), "folder": str(self.folder), "skipped": [one._asdict() for one in self.skipped]}


def pack(
    root: DataFolder,
    folder: str | Path,
    *,
    compression: str = "lz4",
    shard_clips: int = 64,
    on_error: OnError = "skip",
    progress: Callable[[list[VideoInfo]], Iterable[VideoInfo]] = iter,
) -> Packing:
    """Decode the videos of a dataset into a clip store. Run it again after anything: it goes on from what is sealed.

    Labels, splits and tracings stay in FileList.csv and VolumeTracings.csv. The store holds, for each video of any
    split, its grey frames by name, how its colours follow from them, and its `content_hash`. Such a store is refused
    as a source of synthetic clips.

    Args:
        root: folder of the dataset.
        folder: folder of the store; made if missing.
        compression: ``lz4``, ``zstd``, ``gzip`` or ``none``; except with LZ4 a sample decodes the whole video.
        shard_clips: most videos in a file.
        on_error: ``"skip"`` lists videos that cannot be packed, ``"raise"`` stops at the first.
        progress: wraps the list of videos to pack, to show how far it is.

    Raises:
        EchoAugmentError: ``root`` is no dataset, ``folder`` holds synthetic clips or other videos of the same names,
            another process writes to it, the disk is full, or with ``on_error="raise"`` a video is bad.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, after sealing what is whole.
    """
    folder, started = Path(folder), time.monotonic()
    rows = read_table(root).rows
    try:
        with SafeStop() as stop, hold(folder):
            clear_leavings(folder)
            videos = PackedVideos(folder)
            todo = [row for row in rows if row.name not in videos.store.ids]
            before = {row.name for row in rows} - {row.name for row in todo}
            for row in rows:
                if row.name in before:
                    videos.video(row)  # raises where it is another video
            skipped = _write(progress(todo), folder, stop, on_error, compression, shard_clips)
            new = _check([row for row in todo if row.name not in {one.name for one in skipped}], folder)
            size = sum(list_shards(folder).values())
    except OSError as error:
        raise cannot_write(f"the store {folder}", error, kept="every sealed video is kept") from error
    return Packing(folder, len(rows), len(before) + new, new, tuple(skipped), size, time.monotonic() - started)


def _write(
    rows: Iterable[VideoInfo], folder: Path, stop: SafeStop, on_error: OnError, compression: str, shard_clips: int
) -> list[Skipped]:
    skipped = []
    writer = StoreWriter(
        folder, compression=compression, shard_clips=shard_clips, round_frames=ROUND_FRAMES, fingerprint=REAL
    )
    try:
        for row in rows:
            try:
                clip = real_clip(row)
            except EchoAugmentError as error:
                if on_error == "raise":
                    raise
                skipped.append(Skipped(row.name, str(error)))
                continue
            with stop.shielded():
                writer.add(clip)
    finally:
        with stop.shielded():
            try:
                writer.seal()
            finally:
                writer.discard()
            open_manifest(folder)
    return skipped


def real_clip(row: VideoInfo) -> EchoClip:
    """Return a video as a clip: its grey frames, EF and fps by table or file, and where it comes from.

    Raises:
        EchoAugmentError: the video cannot be read, or its colours do not follow from its grey levels.
    """
    luma, fps = read_video(row.path)
    rgb, _ = read_video(row.path, rgb=True)
    tables = tint_tables(luma, rgb)
    if tables is None:
        raise EchoAugmentError(f"{row.path}: is a colour video; only grey ones can be packed", "Read it from its file")
    colours = {name: table.tobytes().hex() for name, table in tables.items()}
    status = row.path.stat()
    file: dict[str, str | int] = {"bytes": status.st_size, "mtime": status.st_mtime_ns, "file": file_hash(row.path)}
    extra = {**colours, **file, "content": frames_hash(luma)}
    source = Provenance(row.name, row.name, 0, preset="real", fingerprint=REAL, label_policy="real", extra=extra)
    ef = row.ef if np.isfinite(row.ef) else float("nan")
    return EchoClip(row.name, luma, fps if fps > 0 else row.fps, ef, provenance=source)


def _check(rows: list[VideoInfo], folder: Path) -> int:
    """Read the new videos back and compare them with the hash of what was decoded."""
    videos = PackedVideos(folder)
    for row in rows:
        video = videos.video(row)
        if frames_hash(video.read()) != video.content:
            raise EchoAugmentError(
                f"{row.name} reads back differently from the store {folder}",
                "Disk or memory of this machine may be faulty; pack again into another folder",
            )
    return len(rows)


def packed_hashes(folder: str | Path) -> dict[str, str]:
    """Return the `content_hash` of every video of a packed store by name, without decoding any.

    Raises:
        EchoAugmentError: there is no such store, or it is damaged.
    """
    store = ClipStore(folder)
    clips = (store.lazy(index) for index in range(len(store)))
    return {clip.clip_id: str(clip.provenance.extra["content"]) for clip in clips if clip.provenance}
