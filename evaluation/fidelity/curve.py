"""How many denoising steps are enough: fidelity at each number of steps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.training_recipes.common.likeness import Likeness, likeness
from echo_augment.training_recipes.judging.frechet import Extractor, frechet
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
        frechet: distance to the appearance donors' own clips.
        seconds: for a clip.
    """

    steps: int
    adherence: Adherence
    likeness: Likeness
    frechet: float
    seconds: float

    def to_json(self) -> dict[str, float]:
        """Return the fields under their published keys, flat."""
        figures = {**asdict(self.adherence), **asdict(self.likeness)}
        return {"steps": self.steps, **figures, "frechet": self.frechet, "seconds": self.seconds}


def step_curve(
    pipeline: MCDMPipeline,
    reader: EFReader,
    pairs: Pairs,
    steps: Sequence[int],
    sampling: Sampling,
    done: Mapping[int, Generated],
    extract: Extractor,
) -> list[CurvePoint]:
    """Measure the generator at each number of steps, with the same noise throughout.

    Args:
        pipeline: the generator.
        reader: reads EF.
        pairs: what is generated.
        steps: numbers of steps.
        sampling: all but the steps.
        done: by number of steps, what need not be generated again.
        extract: gives the features of the Fréchet distance.
    """
    found, real = [], extract(pairs.clips["own"])
    for count in steps:
        made = done.get(count) or generate(pipeline, pairs.references, pairs.codes, replace(sampling, steps=count))
        kept = adherence(reader.read(made.clips), pairs.ef_motion, pairs.ef_appearance)
        alike = likeness(made.clips, pairs.clips["counterfactual"])
        distance = frechet(extract(made.clips), real)
        point = CurvePoint(steps=count, adherence=kept, likeness=alike, frechet=distance, seconds=made.seconds)
        found.append(point)
    return found


def fewest_steps(curve: Sequence[CurvePoint], within: float = ENOUGH) -> int:
    """Return the fewest steps whose EF adherence is within ``within`` R2 of the best; one point is needed at least."""
    best = max(point.adherence.r2 for point in curve)
    return min(point.steps for point in curve if point.adherence.r2 >= best - within)
