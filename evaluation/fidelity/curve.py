"""How many denoising steps are enough: fidelity at each number of steps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.training_recipes.common.likeness import Likeness, likeness
from echo_augment.training_recipes.judging.reader import EFReader
from echo_augment.training_recipes.judging.sampling import Generated, Sampling, generate

from .adherence import Adherence, adherence
from .pairs import Pairs

ENOUGH = 0.01  # of R2


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Fidelity at a number of steps.

    Attributes:
        steps: of the sampler.
        adherence: of EF.
        likeness: to the exact counterfactuals.
        seconds: for a clip.
    """

    steps: int
    adherence: Adherence
    likeness: Likeness
    seconds: float

    def to_json(self) -> dict[str, float]:
        """Return the fields under their published keys, flat."""
        return {"steps": self.steps, **asdict(self.adherence), **asdict(self.likeness), "seconds": self.seconds}


def step_curve(
    pipeline: MCDMPipeline,
    reader: EFReader,
    pairs: Pairs,
    steps: Sequence[int],
    sampling: Sampling,
    done: Mapping[int, Generated],
) -> list[CurvePoint]:
    """Measure the generator at each number of steps, with the same noise throughout.

    Args:
        pipeline: the generator.
        reader: reads EF.
        pairs: what is generated.
        steps: numbers of steps.
        sampling: all but the steps.
        done: by number of steps, what need not be generated again.
    """
    found = []
    for count in steps:
        made = done.get(count) or generate(pipeline, pairs.references, pairs.codes, replace(sampling, steps=count))
        kept = adherence(reader.read(made.clips), pairs.ef_motion, pairs.ef_appearance)
        alike = likeness(made.clips, pairs.clips["counterfactual"])
        found.append(CurvePoint(steps=count, adherence=kept, likeness=alike, seconds=made.seconds))
    return found


def fewest_steps(curve: Sequence[CurvePoint], within: float = ENOUGH) -> int:
    """Return the fewest steps whose EF adherence is within ``within`` R2 of the best; one point is needed at least."""
    best = max(point.adherence.r2 for point in curve)
    return min(point.steps for point in curve if point.adherence.r2 >= best - within)
