"""What decides one training of an LV segmenter, and what such a training finds."""

import hashlib
from dataclasses import dataclass

from ..training.run import TrainingResult, TrainingRun
from .measures import MaskFigures, MaskSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationResult(TrainingResult[MaskFigures]):
    """What a training of an LV segmenter found; ``predictions`` are the figures of each TEST video's masks.

    Attributes:
        test: figures over all TEST videos.
    """

    test: MaskSummary


@dataclass(frozen=True, kw_only=True)
class SegmentationRun(TrainingRun):
    """Everything that decides one training of an LV segmenter."""

    task = "segmentation"
    result = SegmentationResult

    def key(self) -> str:
        """Return a hash of all that the figures depend on, the tracings included; never that of an EF training."""
        paths = [listing.tracings for listing in self.data().lists]
        # The reader names what is wrong if there are none.
        tracings = b"".join(path.read_bytes() for path in paths if path is not None and path.is_file())
        return hashlib.sha256(b"segmentation" + tracings + super().key().encode()).hexdigest()[:24]
