"""Stand-ins for what the fidelity job measures: a curve over steps, and EF adherence without clips."""

from echo_augment.evaluation.fidelity.adherence import Adherence
from echo_augment.evaluation.fidelity.curve import CurvePoint
from echo_augment.training_recipes.common.likeness import Likeness


def adherence_of(r2: float) -> Adherence:
    """EF adherence of that R2."""
    return Adherence(r2=r2, mae=5.0, r=0.9, bias=0.0, motion_weight=1.0, appearance_weight=0.0)


def point(steps: int, r2: float) -> CurvePoint:
    """A point of a curve over steps."""
    alike = Likeness(psnr=21.0, ssim=0.6)
    return CurvePoint(
        steps=steps, adherence=adherence_of(r2), likeness=alike, frechet=1 / (steps or 1), seconds=steps / 20
    )


CURVE = [point(*pair) for pair in ((1, 0.4), (2, 0.71), (4, 0.795), (8, 0.80), (16, 0.79))]
