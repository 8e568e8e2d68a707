"""How a phantom heart moves: everything relative to its end-diastolic size, so that motion fits any heart."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from echo_augment.cache.errors import EchoAugmentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """Motion of one heart, independent of its size and its looks.

    Strains are fractions of the end-diastolic (ED) length or width, shifts are fractions of the ED long axis, times are
    fractions of a beat; so (motion of A, appearance of B) has nearly A's ejection fraction.

    Attributes:
        heart_rate: beats per minute.
        phase: of the beat at time 0, 0 (ED) to 1.
        long_strain: shortening of the long axis at end-systole (ES), 0 to 0.6.
        short_strain: shortening of the short axis at ES, 0 to 0.8.
        systole: share of a regular beat from ED to ES.
        ejection_shape: exponent on the time in systole; above 1 starts slowly.
        rapid_filling: share of diastole taken by the early wave.
        atrial_kick: share of the filling that the atrium's contraction brings.
        atrial_time: share of diastole taken by the atrial wave.
        asymmetry: the lateral wall's short strain times ``1 + asymmetry``, the septum's times ``1 - asymmetry``.
        regional: relative change of the short strain at ``regional_site``; negative is a weak region.
        regional_site: of that region along the long axis, 0 apex to 1 base.
        regional_side: -1 septum, 1 lateral wall.
        delay: of the lateral wall behind the septum, in beats.
        rock_angle: swing about the apex over a beat, radians.
        rock_shift: sideways swing over a beat, in ED lengths.
        breath_shift: slow drift, in ED lengths.
        breath_period: of the drift, seconds.
        irregularity: relative standard deviation of the beat's length; 0 is a regular rhythm.
        beat_coupling: how much a short beat weakens the next one.
        rhythm_seed: draws the beats of an irregular rhythm.
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

    def __post_init__(self) -> None:
        check_range("motion", self, {"heart_rate": (20, 250), "phase": (0, 1), "long_strain": (0, 0.6)})
        check_range("motion", self, {"short_strain": (0, 0.8), "systole": (0.15, 0.7), "irregularity": (0, 0.5)})
        check_range("motion", self, {"ejection_shape": (0.5, 2), "rapid_filling": (0.1, 0.9), "atrial_kick": (0, 0.9)})
        check_range("motion", self, {"atrial_time": (0.1, 0.9), "asymmetry": (-0.6, 0.6), "regional": (-1, 1)})
        check_range("motion", self, {"breath_period": (0.5, 60), "delay": (-0.2, 0.2)})

    def as_dict(self) -> dict[str, Any]:
        """The fields as a JSON-able dict."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Motion":
        """The motion that :meth:`as_dict` gave. Raises EchoAugmentError on an unknown or missing field."""
        return cls(**known_fields("motion", cls, values))


def check_range(what: str, record: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Raise EchoAugmentError unless each named field of ``record`` lies in its closed range."""
    for key, (low, high) in ranges.items():
        value = getattr(record, key)
        if not low <= value <= high:
            raise EchoAugmentError(f"{what}: {key} must be in [{low}, {high}], got {value}")


def known_fields(what: str, cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` as keyword arguments of ``cls``; raises EchoAugmentError where the names differ."""
    names = {field.name for field in fields(cls)}
    if wrong := sorted(names ^ set(values)):
        raise EchoAugmentError(f"{what}: fields {', '.join(wrong)} are unknown or missing", "Write the phantoms anew")
    return dict(values)
