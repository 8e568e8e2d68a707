"""What decides one training of an LV segmenter."""

import hashlib
from dataclasses import dataclass

from echo_augment.augmentor.data import read_table

from .ef_run import EfRun


@dataclass(frozen=True, kw_only=True)
class SegmentationRun(EfRun):
    """Everything that decides one training of a segmenter; the settings are those of an EF training."""

    def key(self) -> str:
        """Hash of everything that the figures depend on, the tracings included; never that of an EF training."""
        path = read_table(self.root).root / "VolumeTracings.csv"
        tracings = path.read_bytes() if path.is_file() else b""  # without them the reader says what is wrong
        return hashlib.sha256(b"segmentation" + tracings + super().key().encode()).hexdigest()[:24]
