"""Networks that look at clips: what reads their EF, and what draws their LV masks."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoClip


class EFPredictor(Protocol):
    """Reads the EF that a clip shows: the net of a `train-ef` run, an EF reader, or the masks of the clips."""

    def __call__(self, clips: Sequence[EchoClip], /) -> npt.NDArray[np.float64]:
        """Return the EF in percent of each clip, ``(len(clips),)``."""
        ...


class Segmenter(Protocol):
    """Draws LV masks.

    Attributes:
        fingerprint: hash of everything that decides its masks.
        ef_bias: mean of EF from its masks minus true EF, EF points, on videos that it was not trained on; 0 if unknown.
    """

    fingerprint: str
    ef_bias: float

    def __call__(self, frames: npt.NDArray[np.uint8], /) -> npt.NDArray[np.bool_]:
        """Return the LV masks ``(T, H, W)`` of uint8 frames ``(T, H, W)``."""
        ...
