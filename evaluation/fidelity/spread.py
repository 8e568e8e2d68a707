"""How far clips of one pair differ by their seed alone: what sampling adds to a prediction."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.training_recipes.judging.reader import EFReader
from echo_augment.training_recipes.judging.sampling import Sampling, generate

from .pairs import Pairs

Clips = npt.NDArray[np.uint8]
PAIRS = 16  # enough for a mean over their pixels
STRIDE = 1000  # between the seeds of samples: no run's own seed is so large


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSpread:
    """The spread of clips of one pair over their seeds.

    Attributes:
        pairs: that were sampled.
        seeds: of each.
        texture: standard deviation of a pixel over the seeds, root mean square in grey levels, of clips without the
            reference's detail; 0 for a generator without chance.
        missing: root mean square distance of one sample from the codec's round trip of the exact counterfactual, in
            grey levels: samples as different as the truth leaves open differ by this divided by the root of 2.
        ef: standard deviation over the seeds of the EF read in a clip, root mean square in EF points.
    """

    pairs: int
    seeds: int
    texture: float
    missing: float
    ef: float

    def to_json(self) -> dict[str, float]:
        """Return the fields under their published keys."""
        return asdict(self)


def seed_spread(
    pipeline: MCDMPipeline, reader: EFReader, pairs: Pairs, sampling: Sampling, seeds: int, first: Clips
) -> SeedSpread:
    """Sample some pairs again with other seeds.

    Args:
        pipeline: the generator.
        reader: reads EF.
        pairs: of which the first are taken.
        sampling: as the clips at hand were sampled.
        seeds: samples of each pair, at least 2.
        first: the clips at hand, without detail, ``(N, T, H, W)`` uint8: the first sample of each.
    """
    count = min(PAIRS, len(first))
    samples = [first[:count]]
    for number in range(1, seeds):
        again = replace(sampling, seed=sampling.seed + number * STRIDE)
        samples.append(generate(pipeline, pairs.references[:count], pairs.codes[:count], again).plain)
    return measured(
        np.stack(samples), pairs.clips["codec"][:count], np.stack([reader.read(clips) for clips in samples])
    )


def measured(samples: Clips, truth: Clips, read: npt.NDArray[np.float64]) -> SeedSpread:
    """Return the spread of samples.

    Args:
        samples: ``(seeds, N, T, H, W)``.
        truth: codec round trips of the exact counterfactuals, ``(N, T, H, W)``.
        read: EF read in the samples, ``(seeds, N)``.
    """
    values = samples.astype(np.float32)
    return SeedSpread(
        pairs=samples.shape[1],
        seeds=len(samples),
        texture=float(np.sqrt(values.var(0, ddof=1).mean())),
        missing=float(np.sqrt(np.square(values[0] - truth).mean())),
        ef=float(np.sqrt(read.var(0, ddof=1).mean())),
    )
