"""How many denoising steps a generator takes by default: chosen by re-enactment, by a declared rule."""

from collections.abc import Mapping
from dataclasses import dataclass

from echo_augment.cache.arguments import check_number
from echo_augment.cache.errors import EchoAugmentError

from .reenactment import Row

LEAST_VIDEOS = 8  # fewer say nothing about a distance of distributions


@dataclass(kw_only=True)
class StepRule:
    """The fewest steps that are good enough.

    Attributes:
        distance: a Fréchet distance counts as good as the best up to this share above it.
        motion: how much cycle error steps may cost against the fewest steps.
    """

    distance: float = 0.05
    motion: float = 0.02

    def __post_init__(self) -> None:
        check_number("reenactment.rule.distance", self.distance, 0)
        check_number("reenactment.rule.motion", self.motion, 0)


def choose_steps(rows: Mapping[int, Row], rule: StepRule) -> int:
    """Return the smallest number of steps whose Fréchet distance is within ``rule.distance`` of the best.

    Only numbers that keep the motion compete: those whose cycle error is at most ``rule.motion`` above that of the
    fewest steps. The explained motion is not asked: a prediction of the mean explains most, and a sample of what it
    leaves open lies as far from the video again, however good it is.

    Args:
        rows: re-enactment by number of steps.
        rule: how much may be lost.

    Raises:
        EchoAugmentError: there is no row, or one of fewer than two videos.
    """
    distances = {steps: row.frechet for steps, row in rows.items() if row.frechet is not None}
    if not distances or len(distances) < len(rows):
        raise EchoAugmentError("a number of steps is chosen by re-enacting two videos or more")
    highest = rows[min(rows)].cycle.mean() + rule.motion
    keeping = {steps: distances[steps] for steps, row in rows.items() if row.cycle.mean() <= highest + 1e-12}
    best = min(keeping.values())
    return min(steps for steps, distance in keeping.items() if distance <= (1 + rule.distance) * best)
