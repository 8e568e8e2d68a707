"""Label transport: the motion donor's EF and beat become the generated clip's labels, or a teacher has a say.

Policies:

- ``donor``: the motion donor's EF. Needs nothing, and is right as far as the generator follows the motion.
- ``teacher``: the EF that a teacher, a regressor or a segmenter trained on the labelled videos, reads from the clip. It
  sees what the generator really painted, with the teacher's own error and its pull to the mean.
- ``consensus``: the mean of both where they agree within a tolerance. Where they do not the donor's EF stays, with no
  confidence, so that a loss weighted by it skips the clip and a gate can reject it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from echo_augment.cache import EchoAugmentError, EchoClip, PlanLine
from echo_augment.cache.arguments import check_choice, check_number
from echo_augment.cache.generator import DonorGenerator, WrappedGenerator

from ..predictors import EFPredictor

POLICIES = ("donor", "teacher", "consensus")


@dataclass(frozen=True, slots=True)
class TransportedLabel:
    """Labels of a generated clip.

    Attributes:
        ef: the motion donor's, in percent.
        ed_frame: where the donor's ventricle is largest within the window; -1 if that is not known.
        es_frame: where it is smallest; likewise.
        policy: how the label was made.
    """

    ef: float
    ed_frame: int
    es_frame: int
    policy: str = "donor"


def donor_label(
    ef: float, volume: npt.NDArray[np.float64], positions: npt.NDArray[np.float64] | None
) -> TransportedLabel:
    """Label a clip by the policy ``donor``: the donor's own EF; ED and ES where its volume curve says so.

    EF is relative and the codes are relative to the donor's ED frame, so neither a phase shift nor another tempo
    changes it.

    Args:
        ef: the motion donor's, in percent.
        volume: the donor's volume curve on its grid, ``(G,)``, without unit
            (`echo_augment.augmentor.mcdm.phase.volume_curve`).
        positions: the grid positions the window reads, ``(F,)``; None if it has no such place, as with one motion
            vector a clip: then the clip has no ED and ES frame either.
    """
    if positions is None:
        return TransportedLabel(ef, -1, -1)
    seen = np.interp(positions, np.arange(len(volume)), volume)
    return TransportedLabel(ef, int(seen.argmax()), int(seen.argmin()))


def decide(policy: str, donor: float, teacher: float, tolerance: float) -> tuple[float, float]:
    """Return the EF in percent of a generated clip, and its confidence, 0 to 1.

    Args:
        policy: one of `POLICIES`.
        donor: the motion donor's EF, in percent.
        teacher: the EF read from the clip, in percent; NaN if nothing could be read (not used by ``donor``).
        tolerance: difference in EF points beyond which ``consensus`` finds none; for both policies with a teacher the
            confidence is ``exp(-(difference / tolerance)**2 / 2)``: 1 where both agree, 0.61 at the tolerance.

    Returns:
        The EF, and the confidence: 1 for ``donor``; 0 if the teacher read nothing, which leaves the donor's EF.
    """
    if policy == "donor":
        return donor, 1.0
    if math.isnan(teacher):
        return donor, 0.0
    shown = min(100.0, max(0.0, teacher))
    confidence = math.exp(-0.5 * ((shown - donor) / tolerance) ** 2)
    if policy == "teacher":
        return shown, confidence
    return ((shown + donor) / 2, confidence) if abs(shown - donor) <= tolerance else (donor, 0.0)


class LabelPolicy:
    """Labels clips by one of the policies above.

    Args:
        policy: ``donor``, ``teacher`` or ``consensus``.
        teacher: reads EF from clips; the other two policies need one.
        tolerance: in EF points, positive; about the teacher's own error on videos that it never saw.
        fingerprint: the teacher's, for the clips' provenance.

    Raises:
        EchoAugmentError: an unknown policy, one without its teacher, or a tolerance that is not positive.
    """

    def __init__(
        self,
        policy: str = "donor",
        *,
        teacher: EFPredictor | None = None,
        tolerance: float = 10.0,
        fingerprint: str = "",
    ) -> None:
        check_choice("the label policy", policy, POLICIES)
        if policy != "donor" and teacher is None:
            raise EchoAugmentError(f"label policy {policy!r} needs a teacher", "Name one, or take the policy donor")
        check_number("the tolerance of labels", tolerance, 0, above_low=True, unit="EF points")
        self.policy, self.teacher, self.tolerance, self.teacher_fingerprint = policy, teacher, tolerance, fingerprint

    @property
    def name(self) -> str:
        """As in a clip's provenance: ``donor``, ``teacher(10)`` or ``consensus(10)``, with the tolerance."""
        return self.policy if self.policy == "donor" else f"{self.policy}({self.tolerance:g})"

    @property
    def fingerprint(self) -> str:
        """What of it decides a label: empty for ``donor``, which needs nothing."""
        return "" if self.policy == "donor" else f"{self.name}-{self.teacher_fingerprint}"

    def __call__(self, clips: Sequence[EchoClip]) -> list[EchoClip]:
        """Return the clips, which come with the motion donor's EF, with EF and confidence by this policy.

        A confidence that a clip has already is multiplied; ``donor_ef`` and ``teacher_ef`` stand in its provenance.
        The teacher reads one clip at a time, so that a clip's label does not depend on its neighbours in a batch.
        """
        if self.policy == "donor" or self.teacher is None or not clips:
            return list(clips)
        return [self._label(clip, float(self.teacher([clip])[0])) for clip in clips]

    def _label(self, clip: EchoClip, read: float) -> EchoClip:
        ef, confidence = decide(self.policy, clip.ef, read, self.tolerance)
        source = clip.provenance
        if source is not None:
            notes = {"donor_ef": clip.ef, "teacher_ef": None if math.isnan(read) else round(read, 4)}
            source = replace(source, label_policy=self.name, extra={**source.extra, **notes})
        return replace(clip, ef=ef, confidence=clip.confidence * confidence, provenance=source)


class WithLabels(WrappedGenerator):
    """A generator whose clips a policy labels: a callable for `echo_augment.cache.fill`, like the one it wraps.

    Args:
        generator: makes the clips, for instance a `ClipGenerator`; a teacher that reads masks needs them drawn first.
        policy: labels them.
    """

    def __init__(self, generator: DonorGenerator, policy: LabelPolicy) -> None:
        super().__init__(generator, f"+labels-{policy.fingerprint}" if policy.fingerprint else "")
        self.policy = policy

    def __call__(self, lines: Sequence[PlanLine]) -> list[EchoClip]:
        """Return the clips of some plan lines, in their order."""
        return [self.dress(clip) for clip in self.policy(self.generator(lines))]
