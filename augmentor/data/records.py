"""Records of a dataset's table: one a video, one a problem."""

import math
from dataclasses import dataclass
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video of the table.

    Attributes:
        name: name without suffix.
        path: video file, inside the dataset's folder.
        ef: ejection fraction in percent, 0 to 100; NaN if the table has none or a bad one.
        esv: end-systolic volume as the table has it (mL in EchoNet-Dynamic); NaN if unknown.
        edv: end-diastolic volume, likewise.
        fps: frames per second by the table; NaN if unknown.
        n_frames: number of frames by the table; -1 if unknown.
        split: ``"TRAIN"``, ``"VAL"``, ``"TEST"`` or another word, upper case; for folds by `splits.FOLD_SPLITS`.
        fold: fold number, or None if the table has words.
        values: fields of the row, in the order of the table's header.
        patient: whom it shows, as the table says it; empty if it does not.
    """

    name: str
    path: Path
    ef: float = math.nan
    esv: float = math.nan
    edv: float = math.nan
    fps: float = math.nan
    n_frames: int = -1
    split: str = "TRAIN"
    fold: int | None = None
    values: tuple[str, ...] = ()
    patient: str = ""

    @property
    def file_name(self) -> str:
        """Return the name with suffix, which `echonet` gives as the target ``Filename``."""
        return self.name + self.path.suffix


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a dataset.

    Attributes:
        kind: ``name``, ``missing``, ``duplicate``, ``split``, ``row`` (the video cannot be used), ``EF``, ``ESV``,
            ``EDV`` (that label cannot), ``tracing``, ``untraced`` (traces cannot), ``video`` (the file is bad),
            ``facts`` (frame rate or length is no number), ``splits``, ``word`` (of the Split column as a whole).
        video: name of the video it concerns; empty for the whole dataset.
        message: one line that names the file and the value.
        remedy: what to do.
        split: split of the row; empty if unknown.
        fold: fold of the row, or None.
    """

    kind: str
    video: str
    message: str
    remedy: str
    split: str = ""
    fold: int | None = None

    def error(self) -> EchoAugmentError:
        """Return this problem as the error to raise."""
        return EchoAugmentError(self.message, self.remedy)
