"""What generators around other generators have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from echo_augment.cache import EchoClip


class Wrapped:
    """A generator that changes another one's clips, under a fingerprint of its own.

    Args:
        generator: makes the clips, for instance a `ClipGenerator`, or is wrapped itself.
        suffix: of the fingerprint: says all that decides the change; empty where it changes nothing.
    """

    def __init__(self, generator: Any, suffix: str) -> None:
        self.generator = generator
        self.fingerprint = f"{generator.fingerprint}{suffix}"
        self.sampler: str = generator.sampler
        self.skipped: Sequence[Mapping[str, Any]] = generator.skipped
        self.motion_donors: Mapping[str, float] = generator.motion_donors
        self.appearance_donors: Sequence[str] = generator.appearance_donors

    def __getattr__(self, name: str) -> Any:
        """What else the wrapped generator has, for gates: its ``pipeline``, ``frames``, ``fps``, .."""
        if name == "generator":  # not there yet, while being unpickled
            raise AttributeError(name)
        return getattr(self.generator, name)

    def dress(self, clip: EchoClip) -> EchoClip:
        """The clip under this generator's own fingerprint: what was changed is part of what it is."""
        if clip.provenance is None:
            return clip
        return replace(clip, provenance=replace(clip.provenance, fingerprint=self.fingerprint))
