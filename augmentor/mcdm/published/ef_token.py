"""The EF that an EF-conditioned generator is told, which is then the clip's label."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from echo_augment.cache import PlanLine
from echo_augment.cache.arguments import check_choice, check_number
from echo_augment.cache.errors import EchoAugmentError

from ..labels import TransportedLabel

CODE = "ef"  # of a pipeline whose denoiser is told an EF instead of a motion
SOURCES = ("table", "uniform")
DRAWN = "drawn"  # label policy of an EF that no video has
LOW, HIGH = 10.0, 90.0  # percent: what EchoNet-Synthetic's sample.py draws from
STREAM = 6  # tag that keeps this random stream apart
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class EFToken:
    """Where the EF comes from.

    Attributes:
        source: ``table``: the plan's motion donor, of whom nothing else is used; ``uniform``: drawn by the line's seed.
        low: least EF in percent of ``uniform``.
        high: largest.

    Raises:
        EchoAugmentError: another source, or a range that is none.

    >>> line = PlanLine("clip", "low", "high", seed=3)
    >>> EFToken().label(line, {"low": 31.5}).ef, 10 <= EFToken("uniform").label(line, {}).ef < 90
    (31.5, True)
    """

    source: str = "table"
    low: float = LOW
    high: float = HIGH

    def __post_init__(self) -> None:
        check_choice("ef", self.source, SOURCES)
        for value in (self.low, self.high):
            check_number("ef_range", value, 0, 100, unit="percent")
        if not self.low < self.high:
            raise EchoAugmentError(f"ef_range must be [low, high] in percent, got [{self.low:g}, {self.high:g}]")

    def __str__(self) -> str:
        return self.source if self.source == "table" else f"{self.source} {self.low:g} to {self.high:g}"

    def label(self, line: PlanLine, motion_donors: Mapping[str, float]) -> TransportedLabel:
        """Return the label of a plan line's clip; its ED and ES frames are not known, for an EF fixes no phase.

        Args:
            line: the plan's.
            motion_donors: EF in percent by name.
        """
        if self.source == "table":
            return TransportedLabel(motion_donors[line.motion_donor], UNKNOWN, UNKNOWN)
        drawn = float(np.random.default_rng([line.seed, STREAM]).uniform(self.low, self.high))
        return TransportedLabel(drawn, UNKNOWN, UNKNOWN, DRAWN)


def token_of(ef: float) -> Tensor:
    """Return EchoNet-Synthetic's cross-attention token ``(1, 1)`` of an EF in percent: EF / 100."""
    return torch.full((1, 1), ef / 100)


def ef_token(code: str, wanted: EFToken | None) -> EFToken | None:
    """Return where the EF of a generator's clips comes from; None for a generator that is told a motion.

    Args:
        code: the pipeline's.
        wanted: as asked for; None for the table's where an EF is needed.

    Raises:
        EchoAugmentError: an EF for a generator that is told a motion.
    """
    if code == CODE:
        return wanted or EFToken()
    if wanted is not None:
        raise EchoAugmentError(
            f"ef={wanted.source} is for a generator that is told an EF; this one is told a motion ({code})",
            "Leave ef out: the label is the motion donor's EF",
        )
    return None
