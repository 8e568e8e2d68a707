"""What makes clips: the `Generator` of a fill and of a live source, one that knows its donors, and wrappers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .clip import EchoClip
from .plan import PlanLine


class Generator(Protocol):
    """Makes the clips of plan lines; a plain function will do."""

    def __call__(self, lines: Sequence[PlanLine], /) -> Sequence[EchoClip]:
        """Return the clips of some plan lines, in their order."""
        ...


def expect(generator: Generator, lines: Sequence[PlanLine]) -> None:
    """Tell a generator which lines come next, in their order; one that has an ``expect`` reads their donors meanwhile.

    Args:
        generator: makes the same clips, told or not.
        lines: all that it may prepare: what was expected before and is not among them is dropped.
    """
    tell = getattr(generator, "expect", None)
    if tell is not None:
        tell(lines)


@dataclass(frozen=True, slots=True)
class SkippedDonor:
    """A video that cannot give motion or appearance, and why."""

    name: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """Return the fields as plain JSON."""
        return {"name": self.name, "reason": self.reason}


class DonorGenerator(Generator, Protocol):
    """A generator that knows its donors, so that clips can be planned; `ClipGenerator` of MCDM is one.

    Attributes:
        fingerprint: hash of everything that decides a clip apart from its plan line.
        sampler: kind and steps, for instance ``"ddim-8"``.
    """

    fingerprint: str
    sampler: str

    @property
    def motion_donors(self) -> Mapping[str, float]:
        """EF in percent of the labelled TRAIN videos, by name."""
        ...

    @property
    def appearance_donors(self) -> Sequence[str]:
        """Names of all TRAIN videos that can be used."""
        ...

    @property
    def skipped(self) -> Sequence[SkippedDonor]:
        """Videos that cannot be donors."""
        ...


class WrappedGenerator:
    """A generator that changes another one's clips, under a fingerprint of its own.

    Args:
        generator: generator of the clips; may be a wrapped one.
        suffix: appended to the fingerprint; says everything that decides the change, empty if nothing changes.
    """

    def __init__(self, generator: DonorGenerator, suffix: str) -> None:
        self.generator = generator
        self.fingerprint = f"{generator.fingerprint}{suffix}"
        self.sampler = generator.sampler
        self.skipped = generator.skipped
        self.motion_donors = generator.motion_donors
        self.appearance_donors = generator.appearance_donors

    def __getattr__(self, name: str) -> Any:
        """Return another attribute of the wrapped generator; gates ask for ``pipeline``, ``frames``, ``fps``, ..."""
        if name == "generator":  # not set yet while the wrapper is being unpickled
            raise AttributeError(name)
        return getattr(self.generator, name)

    def dress(self, clip: EchoClip) -> EchoClip:
        """Return the clip under this wrapper's fingerprint: the change is part of what made it."""
        if clip.provenance is None:
            return clip
        return replace(clip, provenance=replace(clip.provenance, fingerprint=self.fingerprint))
