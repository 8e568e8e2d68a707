"""The clip: frames and their rate, labels, and where they come from; and real or synthetic."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import EchoAugmentError


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a clip comes from; every field is plain JSON.

    Attributes:
        motion_donor: name of the clip that gave the motion and the label.
        appearance_donor: name of the clip that gave the reference frame.
        seed: of the sampler's noise.
        sampler: for instance ``"ddim-8"``.
        preset: of the generator.
        fingerprint: hash of generator weights, preset, donor list and code version.
        label_policy: how the label was made, for instance ``"donor"``.
        extra: anything else worth keeping (phase shift, tempo, ...).
    """

    motion_donor: str
    appearance_donor: str
    seed: int
    sampler: str = ""
    preset: str = ""
    fingerprint: str = ""
    label_policy: str = "donor"
    extra: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The fields as a JSON-able dict."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class EchoClip:
    """A clip with its labels.

    Attributes:
        clip_id: unique in its cache.
        frames: ``(T, H, W)`` uint8 grayscale.
        fps: frames per second, positive.
        ef: ejection fraction in percent, 0 to 100; NaN where there is none.
        ed_frame: index of the end-diastolic frame in ``frames``; -1 where unknown.
        es_frame: index of the end-systolic frame in ``frames``; -1 where unknown.
        confidence: of the label, 0 to 1.
        masks: LV masks ``(T, H, W)`` bool, or None.
        provenance: donors, seeds, sampler, fingerprint; None for a real clip.

    Raises:
        EchoAugmentError: a shape, type or range that is not as above.
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
        """Refuse labels out of their ranges."""
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
        """The frames at ``indices``, ``(len(indices), H, W)``, as an array of their own."""
        return self.frames[np.asarray(indices)]


REAL = "real-video-1"  # the fingerprint of every store of real clips; the number is of the way they are packed


def is_real(fingerprint: str) -> bool:
    """Whether a store with this fingerprint holds a real data set's clips."""
    return fingerprint.startswith("real-video-")


def refuse_real(folder: object, fingerprint: str) -> None:
    """Refuse a store of real clips where synthetic ones are wanted.

    Raises:
        EchoAugmentError: it is one.
    """
    if is_real(fingerprint):
        raise EchoAugmentError(
            f"{folder} holds the real clips of a packed data set, VAL and TEST among them, and no synthetic ones",
            "Give it to EchoNetDynamic(root, store=...); synthetic clips come from fill-cache",
        )
