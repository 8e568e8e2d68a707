"""What a data set's table holds: one record a video, one a problem."""

import math
from dataclasses import dataclass
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video of the table.

    Attributes:
        name: without suffix.
        path: of the video file, inside the data set's folder.
        ef: ejection fraction in percent, 0 to 100; NaN where the table has none or a bad one.
        esv: end-systolic volume as the table has it (mL in EchoNet-Dynamic); NaN where unknown.
        edv: end-diastolic volume, likewise.
        fps: frames per second by the table; NaN where unknown.
        n_frames: number of frames by the table; -1 where unknown.
        split: ``"TRAIN"``, ``"VAL"``, ``"TEST"`` or another word, upper case; for folds by `splits.FOLD_SPLITS`.
        fold: fold number, or None where the table has words.
        values: the fields of the row, in the order of the table's header.
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

    @property
    def file_name(self) -> str:
        """Name with suffix, as `echonet` gives it as the target ``Filename``."""
        return self.name + self.path.suffix


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a data set.

    Attributes:
        kind: ``name``, ``missing``, ``duplicate``, ``split``, ``row`` (the video cannot be used), ``EF``, ``ESV``,
            ``EDV`` (that label cannot), ``tracing``, ``untraced`` (traces cannot), ``video`` (the file is bad).
        video: name of the video it concerns; empty for the whole data set.
        message: one line that names the file and the value.
        remedy: what to do.
        split: of the row; empty where unknown.
        fold: of the row.
    """

    kind: str
    video: str
    message: str
    remedy: str
    split: str = ""
    fold: int | None = None

    def error(self) -> EchoAugmentError:
        """This problem as the error to raise."""
        return EchoAugmentError(self.message, self.remedy)
