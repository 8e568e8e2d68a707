"""Motion made weaker or stronger at generation: does the EF of the clips follow, so that it can be told beforehand?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score

from echo_augment.augmentor.mcdm.motion import amplify
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.judging.reader import EFReader
from echo_augment.training_recipes.judging.sampling import Sampling, generate

from .adherence import Adherence, adherence
from .pairs import Pairs

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A label ``intercept + slope * EF`` of the motion donors, fitted on every other clip.

    Attributes:
        slope: of the label.
        intercept: of the label, in percent.
        label_r2: coefficient of determination of the label on the other clips.
        label_mae: mean absolute error of the label on the other clips, in EF points.
    """

    slope: float
    intercept: float
    label_r2: float
    label_mae: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """Fidelity of clips with weaker or stronger motion.

    Attributes:
        what: ``amplitude`` or ``guidance``.
        factor: by which codes differ from the ED frame's, or scale of guidance.
        steps: of the sampler.
        mean: EF read from the clips, in percent.
        adherence: to the motion donors' EF.
        calibration: of a label.
    """

    what: str
    factor: float
    steps: int
    mean: float
    adherence: Adherence
    calibration: Calibration

    def to_json(self) -> dict[str, float | str]:
        """Return the fields under their published keys, flat."""
        told = {"what": self.what, "factor": self.factor, "steps": self.steps, "mean": self.mean}
        return {**told, **asdict(self.adherence), **asdict(self.calibration)}


def check_amplitude(pipeline: MCDMPipeline, amplitude: Sequence[float]) -> None:
    """Raise if the generator cannot be told amplitudes.

    Raises:
        EchoAugmentError: it has one code a clip.
    """
    if amplitude and pipeline.config["code"] == "vector":
        raise EchoAugmentError(
            f"amplitude={list(amplitude)}: one motion vector a clip has no ED frame to be scaled about",
            "Leave amplitude out",
        )


def strengths(
    pipeline: MCDMPipeline,
    reader: EFReader,
    pairs: Pairs,
    amplitude: Sequence[float],
    guidance: Sequence[float],
    sampling: Sampling,
) -> list[Strength]:
    """Measure the generator at each amplitude of the codes and each scale of guidance, with the same noise.

    Args:
        pipeline: the generator.
        reader: reads EF.
        pairs: what is generated, at least 8.
        amplitude: factors by which codes differ from the ED frame's (``mcdm.motion.amplify``); 1 changes nothing.
        guidance: scales of classifier-free guidance on the motion; 1 is none. With one denoising step at least.
        sampling: steps, sampler and noise.
    """
    scaled = [("amplitude", factor, sampling) for factor in amplitude]
    steps = max(1, sampling.steps)
    guided = [("guidance", scale, replace(sampling, steps=steps, guidance=scale)) for scale in guidance]
    rows = []
    for what, factor, how in scaled + guided:
        codes = pairs.codes
        if what == "amplitude":
            codes = [amplify(code, rest, factor) for code, rest in zip(codes, pairs.rests, strict=True)]
        read = reader.read(generate(pipeline, pairs.references, codes, how).clips)
        rows.append(
            Strength(
                what=what,
                factor=factor,
                steps=how.steps,
                mean=float(read.mean()),
                adherence=adherence(read, pairs.ef_motion, pairs.ef_appearance),
                calibration=calibration(read, pairs.ef_motion),
            )
        )
    return rows


def calibration(read: Values, ef: Values) -> Calibration:
    """Return how well a label fitted on every other clip tells the EF of the others.

    Args:
        read: EF read from clips, in percent, ``(N,)``.
        ef: EF of their motion donors.
    """
    line = LinearRegression().fit(ef[::2, None], read[::2])
    label = line.predict(ef[1::2, None])
    return Calibration(
        slope=float(line.coef_[0]),
        intercept=float(line.intercept_),
        label_r2=float(r2_score(read[1::2], label)),
        label_mae=float(mean_absolute_error(read[1::2], label)),
    )
