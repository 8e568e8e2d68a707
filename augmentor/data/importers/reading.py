"""One source to one clip on disk: what each worker process does."""

import errno
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from ..probe import frames_hash
from ..video import write_video
from .camus import find_patients, read_camus
from .dicom import find_dicoms, read_dicom
from .identity import Hasher
from .label_table import clip_keys
from .records import ImportPlan, Left, Outcome, ReadClip, Source
from .videos import find_videos, read_any_video
from .volume_images import find_volume

VIDEOS = "Videos"
CHUNK = 1 << 20
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})  # no fault of the file


@dataclass(frozen=True, slots=True)
class Format:
    """How one format is found and read.

    Attributes:
        find: yields the sources of a folder or file.
        read: reads one of them; the mapping holds frames per second by the label table, by name.
        package: what it needs beyond the base install; the extra of the format's own name brings it.
    """

    find: Callable[[Path, ImportPlan], Iterator[Source]]
    read: Callable[[Source, ImportPlan, Mapping[str, float]], ReadClip]
    package: str = ""


FORMATS = {
    "dicom": Format(
        find=lambda root, plan: find_dicoms(root),
        read=lambda source, plan, rates: read_dicom(source, plan),
        package="pydicom",
    ),
    "video": Format(find=lambda root, plan: find_videos(root), read=read_any_video),
    "camus": Format(
        find=lambda root, plan: find_patients(root, plan.views),
        read=lambda source, plan, rates: read_camus(source, plan),
        package="nibabel",
    ),
}
"""The formats by what ``from=`` calls them."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a process needs to import a source; goes to it by pickle.

    Attributes:
        out: folder of the dataset.
        plan: how files are read.
        hasher: hashes names with the key.
        rates: name of a video -> frames per second by the label table.
    """

    out: Path
    plan: ImportPlan
    hasher: Hasher
    rates: Mapping[str, float]

    def __call__(self, source: Source) -> Outcome:
        """Read a source and write its clip; whatever is wrong with the file becomes a reason."""
        mark = stamp(source, self.plan, self.hasher)
        name = ""
        try:
            name = self.hasher.name("clip", content_of(source) + source.view.encode())
            clip = FORMATS[self.plan.source].read(source, self.plan, self.rates)
            write_video(self.out / VIDEOS / f"{name}.avi", clip.frames, clip.fps)
        except Left as left:
            reason = f"{left.message}. {left.remedy}" if left.remedy else left.message
            return Outcome(source=mark, name=name, status="out", kind=left.kind, reason=reason)
        except OSError as error:
            if error.errno in FULL:
                raise
            reason = error.strerror or "it cannot be read"
            return Outcome(source=mark, name=name, status="out", kind="unreadable", reason=reason)
        except Exception as error:  # whatever a library raises on damaged bytes: the import goes on, the report tells
            reason = f"it cannot be read ({type(error).__name__})"
            return Outcome(source=mark, name=name, status="out", kind="damaged", reason=reason)
        return self.outcome(mark, name, source, clip)

    def outcome(self, mark: str, name: str, source: Source, clip: ReadClip) -> Outcome:
        """Return the record of a clip that came in; patient and keys are hashed here and name nobody."""
        labels = clip.labels
        return Outcome(
            source=mark,
            name=name,
            patient=self.hasher.name("patient", clip.patient) if clip.patient else name,
            keys=clip_keys(clip, self.hasher),
            fps=clip.fps,
            num_frames=len(clip.frames),
            image_size=self.plan.image_size,
            content=frames_hash(clip.frames),
            masked=round(clip.masked, 4),
            notes=list(clip.notes),
            view=source.view,
            ef=known(labels.ef),
            edv=known(labels.edv),
            esv=known(labels.esv),
            split=labels.split,
            quality=labels.quality,
            ef_by_discs=known(labels.ef_by_discs),
            tracings={str(frame): lines.tolist() for frame, lines in clip.tracings.items()},
        )


def known(value: float) -> float | None:
    """Return ``value``, None for NaN."""
    return float(value) if math.isfinite(value) else None


def find_sources(roots: list[Path], plan: ImportPlan) -> Iterator[Source]:
    """Yield what is to be imported from folders and files.

    Raises:
        EchoAugmentError: a folder or file does not exist, or the format's package is not installed.
    """
    need_package(plan.source)
    for root in roots:
        if not root.exists():
            raise EchoAugmentError(f"{root}: there is no such folder or file", "data= names what to import")
        yield from FORMATS[plan.source].find(root, plan)


def need_package(name: str) -> None:
    """Check that the package of the format ``name`` is there, before any work.

    Raises:
        EchoAugmentError: it is not installed.
    """
    package = FORMATS[name].package
    try:
        if package:
            import_module(package)
    except ImportError as error:
        raise EchoAugmentError(
            f"from={name} needs {package}, which is not installed", f'pip install "echo-augment[{name}]"'
        ) from error


def content_of(source: Source) -> bytes:
    """Return the SHA-256 of a source's bytes: copies of a file under other names are the same clip."""
    path = source.path
    if source.view:
        stem = f"{path.name}_{source.view}"
        found = find_volume(path, f"{stem}_half_sequence") or find_volume(path, f"{stem}_sequence")
        if found is None:
            raise Left("its sequence is not there", "no image", "Copy *_half_sequence.nii.gz or *_sequence.mhd")
        raw = found.with_suffix(".raw")
        path = raw if found.suffix == ".mhd" and raw.is_file() else found
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.digest()


def place(source: Source, hasher: Hasher) -> str:
    """Return the keyed hash of a source's absolute path and view, by which it is known again."""
    return hasher.name("place", f"{source.path.absolute()}:{source.view}")


def stamp(source: Source, plan: ImportPlan, hasher: Hasher) -> str:
    """Return the keyed hash of a source's place, size, time and plan; with an equal stamp it need not be read again."""
    paths = sorted(source.path.glob(f"*{source.view}*")) if source.view else [source.path]
    facts = [(path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    text = json.dumps([facts, asdict(plan)], sort_keys=True)
    return place(source, hasher) + hasher.name("stamp", text)
