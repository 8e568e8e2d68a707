"""Other people's synthetic clips: a ready-made set in EchoNet-Dynamic's layout becomes a cache."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from echo_augment.augmentor.data import EchoTable, VideoInfo, open_video, read_table
from echo_augment.augmentor.data.layouts.finding import DataFiles, DataFolder, find_files
from echo_augment.augmentor.data.probe import frames_hash
from echo_augment.augmentor.data.same_videos import find_leaks
from echo_augment.augmentor.data.selection import ROW_PROBLEMS, openable
from echo_augment.augmentor.devices import best_device
from echo_augment.augmentor.mcdm.phase import resample_indices
from echo_augment.augmentor.video_format import VideoFormat
from echo_augment.cache import ClipStore, EchoClip, FillSummary, Plan, PlanLine, Provenance, fill
from echo_augment.cache.arguments import check_number, check_whole
from echo_augment.cache.clip import is_real
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import image_gate
from echo_augment.cache.manifest import list_shards
from echo_augment.cache.system.files import JsonValue
from echo_augment.cache.system.progress import follow

from ..arms.peer_clips import PEER
from .peer_gates import make_peer_gates
from .settings import LabelGateSettings

WAY = 1  # in the fingerprint: of reading, resampling and scaling
ROUND_FRAMES = 64  # lengths of shards: videos as they come have hundreds of lengths
MOST_FPS, MOST_PIXELS = 1000, 1024
NAMED = 3


@dataclass(frozen=True, slots=True)
class PeerImport:
    """What an import did.

    Attributes:
        summary: of the fill, with the numbers of clips that were left out by reason.
        origin: who made the clips.
        split: that was taken.
        traced: clips whose ED and ES frames are known from tracings.
        problems: rows of the table that cannot be used, with reasons.
        alike: clips whose name is also that of a VAL or TEST video of ``against``.
        gates: limits and readings of the label gate; empty without one.
    """

    summary: FillSummary
    origin: str
    split: str
    traced: int
    problems: tuple[str, ...]
    alike: tuple[str, ...]
    gates: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the figures as plain JSON, for a report."""
        skipped: list[JsonValue] = list(self.problems)
        counts = {"clips": self.summary.sealed, "traced": self.traced}
        about = {"origin": self.origin, "split": self.split, "alike": list(self.alike)}
        gates: dict[str, JsonValue] = {"gates": dict(self.gates)} if self.gates else {}
        return {**about, **counts, "skipped": skipped, "fill": self.summary.to_json(), **gates}

    def __str__(self) -> str:
        fill, rejected = self.summary, ", ".join(f"{n} {kind}" for kind, n in self.summary.rejected.items())
        text = f"{fill.sealed} of {fill.wanted} clips of {self.origin} are in {fill.folder}, {fill.made} of them new"
        text += f"; left out: {rejected}" if rejected else ""
        text += f"; {len(self.problems)} rows of the table cannot be used" if self.problems else ""
        if self.alike:
            text += f"; {len(self.alike)} have names of VAL or TEST videos: ask their makers what they were made from"
        return text


def import_peer_clips(
    root: DataFolder,
    folder: str | Path,
    *,
    origin: str,
    split: str = "TRAIN",
    fps: float | None = None,
    image_size: int | None = None,
    against: DataFolder | None = None,
    label_gate: LabelGateSettings | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> PeerImport:
    """Turn a ready-made synthetic set into a cache. Run it again after anything: it goes on from what is sealed.

    The set lies in EchoNet-Dynamic's layout: ``FileList.csv`` with FileName, EF and Split, ``Videos/``, and
    ``VolumeTracings.csv`` if there are tracings, from which ED and ES frames are known. Each video becomes one clip
    under its own name, grey, with the table's EF. A clip without an EF, one that the image gate rejects and a broken
    video are left out and counted. The fingerprint is a hash of the videos' bytes, their labels and what is done to
    them here. Nobody knows the clips' donors, so the leak guard of `SyntheticAugment`, which goes by donors, has
    nothing to look at: ``against`` holds the videos themselves against a real data set.

    Args:
        root: folder of the set.
        folder: folder of the cache.
        origin: who made the clips, for instance ``"EchoNet-Synthetic"``; kept in each clip's provenance.
        split: word of the table's Split column; ``"all"`` for all. Peers make clips of their VAL and TEST from videos
            that a comparison must not know, so ``"TRAIN"`` is the default.
        fps: frames per second to resample to, the nearest frames, 1 to 1,000; None keeps each video's rate.
        image_size: height and width in pixels to scale to, 16 to 1,024; None keeps each video's.
        against: the real data set that the clips shall train for: its folder, or `find_files` of it with the unit of
            its EF, which the label gate's tolerance needs.
        label_gate: a teacher reads every clip, and those that do not show their label are left out; see
            `make_peer_gates`. None for no such gate.
        device: for the teacher.
        progress: show bars.

    Raises:
        EchoAugmentError: a bad argument; ``root`` is no such set, or holds real videos: a packed store, phantoms, the
            set ``against`` itself, or a video with the same content as one of ``against``; the cache holds other clips.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, after sealing what is whole.
    """
    folder = Path(folder)
    if not origin.strip():
        raise EchoAugmentError("provenance is empty", 'Say who made the clips: provenance="EchoNet-Synthetic"')
    if fps is not None:
        check_number("fps", fps, 1, MOST_FPS, unit="frames per second")
    if image_size is not None:
        check_whole("image_size", image_size, 16, MOST_PIXELS)
    refuse_real_folder(root.root if isinstance(root, DataFiles) else Path(root))
    table = read_table(root)
    rows = table.rows if split.lower() == "all" else table.split(split)
    if not rows:
        raise EchoAugmentError(
            f"{table.root}: no video of its FileList.csv can be used", "Run echo-augment doctor on it"
        )
    alike = refuse_real_videos(rows, against) if against is not None else []
    digest = fingerprint_of(rows, table, [origin, fps, image_size], progress=progress)
    peers = PeerVideos(rows, table, fingerprint=digest, origin=origin, fps=fps, image_size=image_size)
    settings: list[tuple[str, str | int | float]] = [("origin", origin), ("split", split)]
    settings += [(name, value) for name, value in (("fps", fps), ("image_size", image_size)) if value is not None]
    plan = Plan(tuple(peers.line(row.name) for row in rows), (), digest, tuple(settings))
    folder.mkdir(parents=True, exist_ok=True)
    gates = make_peer_gates(label_gate, folder, against=against, device=best_device(device))
    summary = fill(
        plan,
        peers,
        folder,
        batch=1,
        gates=[has_label, image_gate, *gates.gates],
        round_frames=ROUND_FRAMES,
        progress=progress,
        say=lambda _: None,
    )
    if gates.readings is not None:
        gates.readings.close()
    store = ClipStore(folder)
    traced = sum(store.lazy(index).es_frame >= 0 for index in range(len(store)))
    problems = tuple(problem.message for problem in table.problems if problem.kind in ROW_PROBLEMS)
    return PeerImport(summary, origin, split, traced, problems, tuple(alike), gates.figures())


class PeerVideos:
    """The videos of a set as clips, a `Generator`: a plan line names a video and no donors.

    Args:
        rows: the videos.
        table: of the set, for its tracings.
        fingerprint: of the clips.
        origin: who made them.
        fps: see `import_peer_clips`.
        image_size: see `import_peer_clips`.
    """

    def __init__(
        self,
        rows: Sequence[VideoInfo],
        table: EchoTable,
        *,
        fingerprint: str,
        origin: str,
        fps: float | None,
        image_size: int | None,
    ) -> None:
        self._rows = {row.name: row for row in rows}
        self._tracings = table.tracings
        self._form = VideoFormat(size=None if image_size is None else (image_size, image_size))
        self.fingerprint, self.origin, self.fps = fingerprint, origin, fps

    def line(self, name: str) -> PlanLine:
        """Return the plan line of a video."""
        return PlanLine(clip_id=name, motion_donor="", appearance_donor="", seed=0)

    def __call__(self, lines: Sequence[PlanLine]) -> list[EchoClip]:
        """Return the clips of some plan lines, in their order.

        Raises:
            EchoAugmentError: a video that cannot be read.
        """
        return [self._read(self._rows[line.clip_id]) for line in lines]

    def _read(self, row: VideoInfo) -> EchoClip:
        with open_video(row.path) as video:
            rate = video.fps if video.fps > 0 else row.fps
            if not rate > 0:
                raise EchoAugmentError(f"{row.path}: neither the table nor the file has a frame rate", "Mend FPS")
            frames = video.read()
        taken = np.arange(len(frames)) if self.fps is None else resample_indices(len(frames), rate, self.fps)
        small, large = self._traced(row.name, len(frames))
        ed, es = (-1 if frame < 0 else int(np.abs(taken - frame).argmin()) for frame in (large, small))
        extra: dict[str, JsonValue] = {
            "origin": self.origin,
            "file": row.file_name,
            "split": row.split,
            "fps": float(rate),
            "content": frames_hash(frames),  # of the whole video, as `content_hash` has it
        }
        return EchoClip(
            clip_id=row.name,
            frames=self._form.resize(frames[taken]),
            fps=float(self.fps or rate),
            ef=row.ef if np.isfinite(row.ef) else float("nan"),
            ed_frame=ed,
            es_frame=es,
            provenance=Provenance("", "", 0, preset=PEER, fingerprint=self.fingerprint, label_policy=PEER, extra=extra),
        )

    def _traced(self, name: str, count: int) -> tuple[int, int]:
        """Return the small and the large traced frame; -1 if a video has not two."""
        frames = [frame for frame in self._tracings.get(name, {}) if frame < count]
        return (frames[0], frames[-1]) if len(frames) > 1 else (-1, -1)


def has_label(line: PlanLine, clip: EchoClip) -> str | None:
    """Reject a clip without an EF: `SyntheticAugment` could not give it to a net that learns EF."""
    return "label: FileList.csv has no EF in [0, 100]" if np.isnan(clip.ef) else None


def fingerprint_of(
    rows: Sequence[VideoInfo], table: EchoTable, settings: Sequence[str | float | None], *, progress: bool = False
) -> str:
    """Return the fingerprint of an imported set: ``peer-`` and 16 digits of a SHA-256.

    Args:
        rows: videos that are imported; their bytes, split, EF and frame rate count, in this order.
        table: table they are from; which of their frames are traced counts.
        settings: what else decides the clips: provenance, frame rate and size.
        progress: show how far it is.
    """
    digest = hashlib.sha256(f"{WAY} {list(settings)!r}".encode())
    for row in follow(rows, "fingerprint", unit="video", show=progress):
        with row.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        labels = [row.name, row.split, row.ef, row.fps, list(table.tracings.get(row.name, {}))]
        digest.update(f"{content} {labels!r}\n".encode())
    return f"{PEER}-{digest.hexdigest()[:16]}"


def refuse_real_folder(root: Path) -> None:
    """Refuse a folder that is one of ours with real videos, or stands for them: a packed store, or phantoms.

    Raises:
        EchoAugmentError: it is one.
    """
    if root.is_dir() and list_shards(root) and is_real(ClipStore(root).fingerprint):
        raise EchoAugmentError(f"{root} holds the real clips of a packed data set", "Import synthetic ones")
    if (root / "phantoms.json").exists():
        raise EchoAugmentError(
            f"{root} holds phantoms, which stand for real patients, VAL and TEST among them", "Import synthetic clips"
        )


def refuse_real_videos(rows: Sequence[VideoInfo], against: DataFolder) -> list[str]:
    """Refuse videos that show the very same as one of a real data set, whatever its split.

    Args:
        rows: videos that are said to be synthetic.
        against: the real data set.

    Returns:
        Names that are also those of VAL or TEST videos there: such a clip may have been made from that video, which
        only its makers can tell.

    Raises:
        EchoAugmentError: naming the first ones.
    """
    files = find_files(against, ef_unit="percent")  # whatever its unit: no label is read
    real = read_table(files).rows
    theirs = openable(replace(row, name=f"peer {row.name}", split="") for row in rows).rows  # names alone tell nothing
    leaks = find_leaks(theirs, openable(real).rows, held_out_splits=())
    if leaks:
        splits = {row.name: row.split for row in real}
        named = [
            f"{leak.donor.removeprefix('peer ')} is {splits[leak.held_out]} video {leak.held_out}" for leak in leaks
        ]
        raise EchoAugmentError(
            f"{len(leaks)} of the {len(rows)} clips to import are real videos of {files.root}: "
            + "; ".join(named[:NAMED])
            + ("; ..." if len(named) > NAMED else ""),
            "Import synthetic clips only; take these rows out of FileList.csv",
        )
    held_out = {row.name for row in real if row.split in ("VAL", "TEST")}
    return sorted(row.name for row in rows if row.name in held_out)
