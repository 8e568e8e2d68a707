"""Gates decide which clips enter a cache: their protocol, the image gate, and the file of gates that a cache keeps."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from .clip import EchoClip
from .errors import EchoAugmentError
from .plan import PlanLine
from .system.files import JsonValue


@runtime_checkable
class Gate(Protocol):
    """Decides which clips of a batch enter a cache."""

    def judge(self, lines: Sequence[PlanLine], clips: Sequence[EchoClip]) -> Sequence[str | None]:
        """Return for each clip None, or why it is rejected: ``"kind: figures"``."""
        ...


ClipGate = Callable[[PlanLine, EchoClip], str | None]
"""A gate in its simplest form: a function that gets a plan line and its clip, and answers for this clip alone."""


@dataclass(frozen=True, slots=True)
class PerClip:
    """Makes a `Gate` of a function that looks at one clip at a time."""

    function: ClipGate

    def judge(self, lines: Sequence[PlanLine], clips: Sequence[EchoClip]) -> list[str | None]:
        """Return the function's answer for each clip."""
        return [self.function(line, clip) for line, clip in zip(lines, clips, strict=True)]


def as_gates(gates: Sequence[Gate | ClipGate]) -> list[Gate]:
    """Return what a user gave as gates; functions are wrapped in `PerClip`."""
    return [gate if isinstance(gate, Gate) else PerClip(gate) for gate in gates]


def judge(gates: Sequence[Gate], pairs: Sequence[tuple[PlanLine, EchoClip]]) -> list[str | None]:
    """Return why each clip is rejected, None if it passes. A gate sees only what those before it let through.

    Args:
        gates: in the order in which they are asked.
        pairs: plan lines and their clips.

    Raises:
        ValueError: a gate answers for more or fewer clips than it was asked about.
    """
    reasons: list[str | None] = [None] * len(pairs)
    for gate in gates:
        passed = [place for place, reason in enumerate(reasons) if reason is None]
        if not passed:
            break
        lines, clips = [pairs[place][0] for place in passed], [pairs[place][1] for place in passed]
        for place, reason in zip(passed, gate.judge(lines, clips), strict=True):
            reasons[place] = reason
    return reasons


DARK, FLAT, STILL, BRIGHT = 3.0, 4.0, 0.05, 200.0


def image_gate(line: PlanLine, clip: EchoClip) -> str | None:
    """Reject a clip that cannot be an echocardiogram: black, white, without contrast, or without motion.

    The limits, in grey levels, lie far outside real clips: six videos of EchoNet-Dynamic have means of 24 to 46, a
    standard deviation of 38 or more in every frame, and differences of 3.5 to 5.5 from frame to frame at 50 fps.

    Args:
        line: ignored.
        clip: clip to judge; motion is judged from two frames on.

    Returns:
        None, or ``"image: ..."`` with the figure.
    """
    frames = clip.frames.astype(np.float32)
    mean, spread = float(frames.mean()), float(frames.std(axis=(1, 2)).min())
    if mean < DARK:
        return f"image: black, mean {mean:.2f}"
    if mean > BRIGHT:
        return f"image: white, mean {mean:.1f}"
    if spread < FLAT:
        return f"image: flat, a frame has standard deviation {spread:.2f}"
    change = float(np.abs(np.diff(frames, axis=0)).mean()) if len(frames) > 1 else np.inf
    return f"image: still, mean difference between frames {change:.3f}" if change < STILL else None


GATES = "gates.json"
KNOWS = "knows"  # names of the videos whose labels the gates' teachers learned from, if known
IMAGE_ONLY: dict[str, JsonValue] = {"image": True, "label": None, "privacy": None}


@dataclass(frozen=True, slots=True)
class GateFile:
    """The content of ``gates.json``.

    Attributes:
        gates: settings and fingerprints of the gates, by name of the gate.
        limits: the numbers that follow from them; None if the cache has no such file.
    """

    gates: dict[str, JsonValue]
    limits: dict[str, JsonValue] | None

    @property
    def chosen_by_labels(self) -> bool:
        """Whether a net that learned from labels had a say in which clips passed: a teacher of EF, or of LV masks."""
        label = self.gates.get("label")
        taught = isinstance(label, Mapping) and label.get("teacher") is not None
        return taught or self.gates.get("masks") is not None

    @property
    def known_videos(self) -> frozenset[str] | None:
        """Names of the videos whose labels the teachers learned from; None if the file does not tell."""
        names = self.gates.get(KNOWS)
        return frozenset(map(str, names)) if isinstance(names, Sequence) else None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the content as plain JSON."""
        return {"gates": self.gates, "limits": self.limits}


def read_gates(folder: Path) -> GateFile:
    """Return the gates of a cache; without a ``gates.json``, the image gate alone.

    Raises:
        EchoAugmentError: the file is damaged.
    """
    path = Path(folder) / GATES
    if not path.exists():
        return GateFile(IMAGE_ONLY, None)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return GateFile(dict(found["gates"]), dict(found["limits"]))
    except (ValueError, KeyError, TypeError) as error:
        raise EchoAugmentError(
            f"{path} is damaged ({error})", "Delete it if the folder has no clips yet, or fill another folder"
        ) from error
