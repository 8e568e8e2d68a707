"""What passes between the parts of an import: how to read, what is found, what is read, and what became of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.cache.arguments import check_choice, check_number, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

Frames = npt.NDArray[np.uint8]
Lines = npt.NDArray[np.float64]

SOURCES = ("dicom", "video", "camus")
COLOURS = ("refuse", "drop_box")
VIEWS = ("2CH", "4CH")
BEAT_SECONDS = 0.6  # 100 beats a minute: a clip of less can hold no whole beat of a resting heart


class Left(EchoAugmentError):
    """A file that is left out of an import.

    Args:
        message: reason, without names, paths or text of the file: it stands in the report.
        kind: one word that groups reasons: ``"modality"``, ``"still"``, ``"short"``, ...
        remedy: what the user can do about it.
    """

    def __init__(self, message: str, kind: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """How each file is read; part of a source's stamp, so that other settings read it again.

    Attributes:
        source: ``dicom``, ``video`` or ``camus``.
        image_size: height and width of the clips.
        fps: frames per second for all files; None to take what each states.
        colour: ``refuse`` or ``drop_box``.
        region: ``x0, y0, x1, y1`` of the B-mode picture in pixels, for all files; None to find it.
        beat_seconds: shorter clips are refused where the file states no heart rate.
        patient: whose a video is: ``file``, ``folder``, or a regular expression with one group for the path.
        views: views of CAMUS to import, of `VIEWS`.
    """

    source: str
    image_size: int = 112
    fps: float | None = None
    colour: str = "refuse"
    region: tuple[int, int, int, int] | None = None
    beat_seconds: float = BEAT_SECONDS
    patient: str = "file"
    views: tuple[str, ...] = field(default=VIEWS)

    def __post_init__(self) -> None:
        check_choice("from", self.source, SOURCES)
        check_choice("colour", self.colour, COLOURS)
        check_whole("size", self.image_size, 16, 1024)
        check_number("beat_seconds", self.beat_seconds, 0, 10)
        if self.fps is not None:
            check_number("fps", self.fps, 2, 400)
        for view in self.views:
            check_choice("views", view, VIEWS)
        if self.region is not None:
            x0, y0, x1, y1 = self.region
            if not (0 <= x0 < x1 and 0 <= y0 < y1):
                raise EchoAugmentError(
                    f"region must be [x0, y0, x1, y1] with x0 < x1, y0 < y1, got {list(self.region)}"
                )


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a view of a CAMUS patient, that may become a clip.

    Attributes:
        path: the file; for CAMUS the patient's folder.
        root: folder that was searched; ``path`` itself if the user named the file.
        view: ``2CH`` or ``4CH`` for CAMUS, else empty.
    """

    path: Path
    root: Path
    view: str = ""

    @property
    def relative(self) -> str:
        """Return the path below the searched folder, with the view; no two sources of an import share it."""
        inner = self.path.relative_to(self.root).as_posix() if self.path != self.root else self.path.name
        return f"{inner}:{self.view}" if self.view else inner


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels that a source brings itself.

    Attributes:
        ef: ejection fraction in percent; NaN if unknown, as for the other numbers.
        edv: end-diastolic volume in mL.
        esv: end-systolic volume in mL.
        split: ``TRAIN``, ``VAL``, ``TEST``, or empty.
        quality: image quality in words, or empty.
        ef_by_discs: EF by the method of discs on the source's own masks, in percent.
    """

    ef: float = float("nan")
    edv: float = float("nan")
    esv: float = float("nan")
    split: str = ""
    quality: str = ""
    ef_by_discs: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadClip:
    """A clip as read: cropped, masked and of its final size. Texts that identify a patient leave the process that read
    them as keyed hashes only.

    Attributes:
        frames: ``(T, S, S)`` uint8.
        fps: frames per second.
        patient: text that is the same for all clips of a patient; empty if unknown.
        study: texts that name the study.
        names: texts that name the clip.
        masked: share of the sector that was blacked out.
        notes: remarks for the user.
        labels: labels of the source.
        tracings: ED and ES frame -> ``(21, 4)`` lines.
    """

    frames: Frames
    fps: float
    patient: str
    names: tuple[str, ...]
    study: tuple[str, ...] = ()
    masked: float = 0.0
    notes: tuple[str, ...] = ()
    labels: Labels = field(default_factory=Labels)
    tracings: Mapping[int, Lines] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a source; plain JSON, without a name, a path or a date.

    Attributes:
        source: keyed hash of its place, size and time.
        name: name of the clip, a keyed hash of the file's bytes; empty if it was left out unread.
        status: ``"in"`` or ``"out"``.
        kind: kind of the reason if it is out.
        reason: why it is out.
        patient: keyed hash of the patient.
        keys: keyed hashes that a row of the label table may be joined by, the best first.
        fps: frames per second.
        num_frames: frames of the clip.
        image_size: height and width.
        content: hash of the frames as they came in.
        masked: share of the sector that was blacked out.
        notes: remarks for the user.
        view: view of a CAMUS clip, else empty.
        ef: ejection fraction in percent; None if unknown, as for the other labels.
        edv: end-diastolic volume in mL.
        esv: end-systolic volume in mL.
        split: split of the source, or empty.
        quality: image quality of the source, or empty.
        ef_by_discs: EF by the method of discs, in percent.
        tracings: frame -> lines.
    """

    source: str
    name: str = ""
    status: str = "in"
    kind: str = ""
    reason: str = ""
    patient: str = ""
    keys: list[str] = field(default_factory=list)
    fps: float = 0.0
    num_frames: int = 0
    image_size: int = 0
    content: str = ""
    masked: float = 0.0
    notes: list[str] = field(default_factory=list)
    view: str = ""
    ef: float | None = None
    edv: float | None = None
    esv: float | None = None
    split: str = ""
    quality: str = ""
    ef_by_discs: float | None = None
    tracings: dict[str, list[list[float]]] = field(default_factory=dict)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Outcome":
        """Return the outcome that `to_json` wrote; unknown keys are ignored."""
        known = {one.name for one in fields(cls)}
        return cls(**{key: item for key, item in value.items() if key in known})
