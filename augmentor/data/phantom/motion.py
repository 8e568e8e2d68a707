"""How a phantom heart moves, relative to its end-diastolic size: the motion of one heart fits any other."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, ClassVar, Self

from echo_augment.cache.arguments import check_number
from echo_augment.cache.errors import EchoAugmentError


def known_fields(what: str, cls: type, values: object) -> dict[str, Any]:
    """Return what a JSON file holds as the keyword arguments of a dataclass; fields with a default may be missing.

    Args:
        what: name of the record, for the message.
        cls: the dataclass.
        values: as ``json.loads`` gave them.

    Raises:
        EchoAugmentError: ``values`` is no object, has other keys than the fields of ``cls``, or lacks one.
    """
    if not isinstance(values, dict):
        raise EchoAugmentError(f"{what}: expected an object, got {values!r}", "Write the phantoms anew")
    names = {field.name for field in fields(cls)}
    needed = {field.name for field in fields(cls) if field.default is MISSING}
    if wrong := sorted((set(values) - names) | (needed - set(values))):
        raise EchoAugmentError(f"{what}: fields {', '.join(wrong)} are unknown or missing", "Write the phantoms anew")
    return dict(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Numbers that describe a phantom, each within its range, and as JSON."""

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = {}

    def __post_init__(self) -> None:
        for name, (low, high) in self.RANGES.items():
            check_number(f"{type(self).__name__.lower()}.{name}", getattr(self, name), low, high)

    def to_json(self) -> dict[str, float]:
        """Return the fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return what `to_json` wrote.

        Raises:
            EchoAugmentError: a field is unknown, missing or out of range.
        """
        return cls(**known_fields(cls.__name__.lower(), cls, values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion(Parameters):
    """Motion of one heart, independent of its size and its appearance.

    Strains are fractions of the end-diastolic (ED) length or width, shifts are fractions of the ED long axis, times are
    fractions of a beat; so (motion of A, appearance of B) has nearly A's ejection fraction (EF).

    Attributes:
        heart_rate: beats per minute.
        phase: phase of the beat at time 0, 0 (ED) to 1.
        long_strain: shortening of the long axis at end-systole (ES), 0 to 0.6.
        short_strain: shortening of the short axis at ES, 0 to 0.8.
        systole: share of a regular beat from ED to ES.
        ejection_shape: exponent on the time in systole; above 1 starts slowly.
        rapid_filling: share of diastole taken by the early wave.
        atrial_kick: share of the filling that the atrium's contraction brings.
        atrial_time: share of diastole taken by the atrial wave.
        asymmetry: the lateral wall's short strain times ``1 + asymmetry``, the septum's times ``1 - asymmetry``.
        regional: relative change of the short strain at ``regional_site``; negative is a weak region.
        regional_site: place of that region along the long axis, 0 apex to 1 base.
        regional_side: side of that region, -1 septum, 1 lateral wall.
        delay: time by which the lateral wall follows the septum, in beats.
        rock_angle: swing about the apex over a beat, radians.
        rock_shift: sideways swing over a beat, in ED lengths.
        breath_shift: slow drift, in ED lengths.
        breath_period: period of the drift, seconds.
        irregularity: relative standard deviation of the beat's length; 0 is a regular rhythm.
        beat_coupling: how much a short beat weakens the next one.
        rhythm_seed: seed of an irregular rhythm's beats, of the deformation, of drift and jolts.
        ectopic: chance of each beat to come too early; it is weak, and the next one waits.
        deformation: size of the smooth random deformation beside the contraction, in ED lengths.
        restless: share of it that does not repeat from beat to beat.
        shear: sliding of the lateral wall along the septum at its largest, in ED lengths.
        annulus_tilt: tilt of the mitral plane at its largest, radians.
        septal_bounce: sideways beat of the septum against the contraction, in ED lengths.
        right_side: movement of the right heart towards the apex at its largest, in ED lengths.
        apex_sway: sideways beat of the apex, in ED lengths.
        plane_shift: movement through the plane of view over a beat, in ED lengths.
        plane_twist: the same, opposite on both sides of the long axis and at apex and base.
        plane_length: share of the long axis that this movement hides at its largest.
        drift: slow movement of the probe, in ED lengths.
        jolts: sudden movements of the probe, a second.
        jolt_size: size of each, in ED lengths.
        leaflet_reach: opening of the mitral leaflets, relative to a healthy one; 1 is that.
        leaflet_flutter: tremble of the open leaflets, radians.
    """

    heart_rate: float
    phase: float
    long_strain: float
    short_strain: float
    systole: float = 0.35
    ejection_shape: float = 1.0
    rapid_filling: float = 0.4
    atrial_kick: float = 0.25
    atrial_time: float = 0.25
    asymmetry: float = 0.0
    regional: float = 0.0
    regional_site: float = 0.5
    regional_side: float = 1.0
    delay: float = 0.0
    rock_angle: float = 0.0
    rock_shift: float = 0.0
    breath_shift: float = 0.0
    breath_period: float = 4.0
    irregularity: float = 0.0
    beat_coupling: float = 0.6
    rhythm_seed: int = 0
    ectopic: float = 0.0
    deformation: float = 0.0
    restless: float = 0.0
    shear: float = 0.0
    annulus_tilt: float = 0.0
    septal_bounce: float = 0.0
    apex_sway: float = 0.0
    right_side: float = 0.0
    plane_shift: float = 0.0
    plane_twist: float = 0.0
    plane_length: float = 0.0
    drift: float = 0.0
    jolts: float = 0.0
    jolt_size: float = 0.0
    leaflet_reach: float = 1.0
    leaflet_flutter: float = 0.0

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = {
        "heart_rate": (20, 250),
        "phase": (0, 1),
        "long_strain": (0, 0.6),
        "short_strain": (0, 0.8),
        "systole": (0.15, 0.7),
        "irregularity": (0, 0.5),
        "ejection_shape": (0.5, 2),
        "rapid_filling": (0.1, 0.9),
        "atrial_kick": (0, 0.9),
        "atrial_time": (0.1, 0.9),
        "asymmetry": (-0.6, 0.6),
        "regional": (-1, 1),
        "breath_period": (0.5, 60),
        "delay": (-0.2, 0.2),
        "ectopic": (0, 1),
        "deformation": (0, 0.1),
        "restless": (0, 1),
        "shear": (-0.2, 0.2),
        "annulus_tilt": (-0.5, 0.5),
        "septal_bounce": (-0.2, 0.2),
        "apex_sway": (-0.2, 0.2),
        "right_side": (-0.3, 0.3),
        "plane_shift": (0, 0.5),
        "plane_twist": (0, 0.5),
        "plane_length": (0, 0.3),
        "drift": (0, 0.2),
        "jolts": (0, 5),
        "jolt_size": (0, 0.3),
        "leaflet_reach": (0.1, 1.5),
        "leaflet_flutter": (0, 0.5),
    }

    @property
    def deforms(self) -> bool:
        """Whether anything beside the contraction changes the heart's form in the plane of view."""
        parts = self.deformation, self.shear, self.annulus_tilt, self.septal_bounce, self.apex_sway, self.right_side
        return any(parts)

    @property
    def leaves_plane(self) -> bool:
        """Whether the heart moves through the plane of view."""
        return bool(self.plane_shift or self.plane_twist)
