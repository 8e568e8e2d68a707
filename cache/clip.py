"""The clip: its frames and frame rate, its labels, its origin; and whether a store holds real or synthetic clips."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import EchoAugmentError
from .system.files import JsonValue


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a clip comes from; every field is plain JSON.

    Attributes:
        motion_donor: name of the video that gave the motion and the label.
        appearance_donor: name of the video that gave the reference frame.
        seed: seed of the sampler's noise.
        sampler: kind and steps, for instance ``"ddim-8"``.
        preset: preset of the generator.
        fingerprint: hash of generator weights, preset, donors and code version.
        label_policy: how the label was made, for instance ``"donor"``.
        extra: anything else worth keeping (phase shift, tempo, ...), as plain JSON.
    """

    motion_donor: str
    appearance_donor: str
    seed: int
    sampler: str = ""
    preset: str = ""
    fingerprint: str = ""
    label_policy: str = "donor"
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Provenance":
        """Return the provenance that :meth:`to_json` wrote."""
        return cls(**value)


@dataclass(frozen=True, slots=True, eq=False)
class EchoClip:
    """A clip with its labels.

    Attributes:
        clip_id: name, unique in its cache.
        frames: ``(T, H, W)`` uint8 grayscale.
        fps: frames per second, positive.
        ef: ejection fraction in percent, 0 to 100; NaN if unknown.
        ed_frame: index of the end-diastolic frame in ``frames``; -1 if unknown.
        es_frame: index of the end-systolic frame in ``frames``; -1 if unknown.
        confidence: confidence in the label, 0 to 1.
        masks: LV masks ``(T, H, W)`` bool, or None.
        provenance: donors, seed, sampler, fingerprint; None for a real clip.

    Raises:
        EchoAugmentError: a shape, type or range that is not as above.

    Example:
        >>> clip = EchoClip("a4c-1", np.zeros((16, 112, 112), np.uint8), fps=50, ef=55.0, ed_frame=0, es_frame=9)
        >>> clip.n_frames, clip.ef
        (16, 55.0)
    """

    clip_id: str
    frames: npt.NDArray[np.uint8]
    fps: float
    ef: float = float("nan")
    ed_frame: int = -1
    es_frame: int = -1
    confidence: float = 1.0
    masks: npt.NDArray[np.bool_] | None = None
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        name = f"clip {self.clip_id!r}"
        if self.frames.ndim != 3 or self.frames.dtype != np.uint8 or 0 in self.frames.shape:
            raise EchoAugmentError(
                f"{name}: frames must be (T, H, W) uint8, got {self.frames.shape} {self.frames.dtype}"
            )
        self.check_labels()
        if self.masks is not None and (self.masks.shape != self.frames.shape or self.masks.dtype != np.bool_):
            raise EchoAugmentError(
                f"{name}: masks must be bool {self.frames.shape}, got {self.masks.dtype} {self.masks.shape}"
            )

    def check_labels(self) -> None:
        """Raise if a label is out of its range.

        Raises:
            EchoAugmentError: names clip, label and value.
        """
        name = f"clip {self.clip_id!r}"
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise EchoAugmentError(f"{name}: fps must be positive, got {self.fps}")
        if not (np.isnan(self.ef) or 0 <= self.ef <= 100):
            raise EchoAugmentError(f"{name}: EF must be in [0, 100] percent, got {self.ef}")
        if not 0 <= self.confidence <= 1:
            raise EchoAugmentError(f"{name}: confidence must be in [0, 1], got {self.confidence}")
        for key in ("ed_frame", "es_frame"):
            if not -1 <= getattr(self, key) < self.n_frames:
                raise EchoAugmentError(f"{name}: {key} {getattr(self, key)} is outside 0..{self.n_frames - 1}")

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def take(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Return a copy of the frames at ``indices``, ``(len(indices), H, W)``."""
        return self.frames[np.asarray(indices)]


REAL = "real-video-1"  # the fingerprint of every store of real clips; the number is the version of the packing


def is_real(fingerprint: str) -> bool:
    """Return whether a store with this fingerprint holds the clips of a real dataset."""
    return fingerprint.startswith("real-video-")


def refuse_real(folder: object, fingerprint: str) -> None:
    """Raise if the store at ``folder`` holds real clips, where synthetic ones are wanted.

    Raises:
        EchoAugmentError: its fingerprint is that of real clips.
    """
    if is_real(fingerprint):
        raise EchoAugmentError(
            f"{folder} holds the real clips of a packed data set, VAL and TEST among them, and no synthetic ones",
            "Give it to EchoNetDynamic(root, store=...); synthetic clips come from fill-cache",
        )
