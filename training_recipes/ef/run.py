"""What decides one training of an EF regressor, and what such a training finds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypedDict

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError

from ..training.run import TrainingResult, TrainingRun

Array = npt.NDArray[np.float64]


class Window(TypedDict):
    """Frames of a clip, and video frames from one of them to the next."""

    length: int
    period: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipForm:
    """How clips must be cut and normalised for an EF net; ``reader`` in ``result.json``.

    Attributes:
        length: frames of a clip.
        period: video frames from one frame of the clip to the next.
        fps: frames per second of the videos that the net learned from, the median.
        size: height and width of their frames in pixels.
        mean: of the grey values 0-255, per channel.
        std: standard deviation likewise.
    """

    length: int
    period: int
    fps: float
    size: list[int]
    mean: list[float]
    std: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class EFErrors:
    """Errors over the TEST videos, in EF points; ``r2`` is NaN for fewer than two different EFs."""

    mae: float
    rmse: float
    r2: float

    @classmethod
    def of(cls, true: Array, predicted: Array) -> "EFErrors":
        """Return the errors of predictions ``(N,)``, in percent as the labels ``(N,)`` are."""
        error = predicted - true
        spread = float(np.square(true - true.mean()).sum())
        square = np.square(error)
        r2 = 1 - float(square.sum()) / spread if spread > 0 else math.nan
        return cls(mae=float(np.abs(error).mean()), rmse=math.sqrt(square.mean()), r2=r2)


@dataclass(frozen=True, slots=True, kw_only=True)
class EFResult(TrainingResult[list[float]]):
    """What a training of an EF regressor found; ``predictions`` are true and predicted EF in percent.

    Attributes:
        reader: how clips must be cut and normalised for the net; None in results of early versions.
        unlabelled_hearts: TRAIN videos that the arm could use without their labels.
        test: errors over the TEST videos.
    """

    reader: ClipForm | None
    unlabelled_hearts: int
    test: EFErrors

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return the result that a ``result.json`` holds."""
        result = super(EFResult, cls).from_json({"reader": None, "unlabelled_hearts": 0, **found})
        reader = None if found.get("reader") is None else ClipForm(**found["reader"])
        numbers = {name: math.nan if value is None else value for name, value in found["test"].items()}
        return replace(result, reader=reader, test=EFErrors(**numbers))


@dataclass(frozen=True, kw_only=True)
class EFRun(TrainingRun):
    """Everything that decides one training of an EF regressor.

    Raises:
        EchoAugmentError: the recipe has no length or period of clips.
    """

    task = "ef"
    result = EFResult

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("length", "period"):
            if getattr(self.trainer, name) is None:
                raise EchoAugmentError(f"trainer.{name} is null, and EF is read from clips", "Give it in frames")

    @property
    def window(self) -> Window:
        """Length and period of the clips."""
        return Window(length=int(self.trainer.length or 0), period=int(self.trainer.period or 0))
