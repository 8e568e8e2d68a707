"""The label gate: does a clip show the EF that its label says?"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import VideoInfo
from echo_augment.augmentor.mcdm.masks import mask_ef
from echo_augment.augmentor.predictors import EFPredictor
from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.errors import EchoAugmentError

from ..common.dataset import ClipShape, middle_clips
from .agreement import LabelLimit
from .readings import Readings

NO_VIDEOS = "Give gates.label.tolerance=NUMBER (EF points), or a data set with labelled VAL videos"


class LabelGate:
    """Rejects clips whose label is further than a tolerance from the EF that is read from them.

    It can only catch errors larger than the reader's own: the tolerance should not lie below what the reader shows on
    real videos that it never saw (`set_tolerance`).

    Args:
        read: EF in percent of some clips; NaN if nothing can be read.
        reader: what reads, for the reason: ``teacher`` or ``masks``.
        tolerance: in EF points.
        readings: keeps ``read_ef`` and ``label_ef`` of every clip.
    """

    def __init__(self, read: EFPredictor, *, reader: str, tolerance: float, readings: Readings) -> None:
        self.read, self.reader, self.tolerance, self.readings = read, reader, tolerance, readings

    def judge(self, lines: Sequence[PlanLine], clips: Sequence[EchoClip]) -> list[str | None]:
        """Return ``"label: ..."`` for each clip that does not show its label, else None."""
        reasons: list[str | None] = []
        for clip, ef in zip(clips, self.read(clips), strict=True):
            self.readings.add(clip.clip_id, read_ef=ef, label_ef=clip.ef)
            wrong = not abs(ef - clip.ef) <= self.tolerance  # NaN on either side is wrong, too
            text = f"label: {self.reader} read {ef:.1f}, the label is {clip.ef:.1f}"
            reasons.append(f"{text}, tolerance {self.tolerance:.1f}" if wrong else None)
        return reasons


def read_masks(clips: Sequence[EchoClip]) -> npt.NDArray[np.float64]:
    """Return the EF in percent of clips by the method of discs on their LV masks, ``(len(clips),)``.

    Raises:
        EchoAugmentError: a clip without masks.
    """
    found = []
    for clip in clips:
        if clip.masks is None:
            raise EchoAugmentError(
                f"clip {clip.clip_id!r} has no masks to read its EF from",
                "Let the fill draw masks, or give gates.label.teacher=FOLDER",
            )
        found.append(mask_ef(clip.masks, clip.ed_frame, clip.es_frame))
    return np.array(found)


def set_tolerance(read: EFPredictor, rows: Sequence[VideoInfo], shape: ClipShape, *, quantile: float) -> LabelLimit:
    """Return the tolerance that a reader earns on real videos: a quantile of its absolute errors.

    Args:
        read: the reader; it must not have been trained on these videos.
        rows: VAL videos. TEST is never used for this.
        shape: shape of the generated clips, to which the videos are cut.
        quantile: of the absolute errors, in (0, 1].

    Returns:
        ``tolerance``, ``mae`` and ``bias`` (mean of reading minus label) in EF points, and ``val_hearts``, the number
        of videos.

    Raises:
        EchoAugmentError: no labelled video that can be read.
    """
    labelled = [row for row in rows if not np.isnan(row.ef)]
    videos = middle_clips(labelled, shape, what="VAL for the label gate")
    error = np.array([float(read([EchoClip(row.name, clip, shape.fps)])[0]) - row.ef for row, clip in videos])
    if not len(error):
        raise EchoAugmentError(
            f"none of {len(rows)} VAL videos has a label and {shape.num_frames / shape.fps:.2f} s, to set the label "
            "gate's tolerance",
            NO_VIDEOS,
        )
    return LabelLimit(
        tolerance=float(np.quantile(np.abs(error), quantile)),
        mae=float(np.abs(error).mean()),
        bias=float(error.mean()),
        val_hearts=len(error),
    )
