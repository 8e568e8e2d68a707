"""What the gates of a fill are told: read from the configuration, checked, and held to on every restart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.fill import PLAN
from echo_augment.cache.gates import GATES, KNOWS, read_gates
from echo_augment.cache.gates import IMAGE_ONLY as IMAGE_ONLY
from echo_augment.cache.manifest import list_shards
from echo_augment.cache.system.files import write_json

READERS, AGAINST = ("teacher", "masks"), ("others", "all")


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """The label gate.

    Attributes:
        by: ``teacher`` or ``masks``: what reads the EF that a clip shows.
        teacher: folder that train-ef wrote; None with ``masks``.
        tolerance: EF points between reading and label that pass; None to set it on VAL.
        quantile: of the teacher's absolute errors on VAL that becomes the tolerance, in (0, 1].
    """

    by: str
    teacher: str | None
    tolerance: float | None
    quantile: float


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """The privacy gate.

    Attributes:
        against: ``others`` (every TRAIN heart but the clip's appearance donor) or ``all``.
        threshold: similarity in [-1, 1] over which a clip is rejected; None to set it on VAL.
        quantile: of the similarities between VAL and TRAIN that becomes the threshold, in (0, 1].
    """

    against: str
    threshold: float | None
    quantile: float


@dataclass(frozen=True, slots=True)
class GateSettings:
    """The gates of a fill; None where one is off."""

    image: bool
    label: LabelSettings | None
    privacy: PrivacySettings | None


def read_settings(gates: Mapping[str, Any]) -> GateSettings:
    """The gates of the configuration group ``gates``.

    Raises:
        EchoAugmentError: a value out of its range, or one that would do nothing because its gate is off.
    """
    return GateSettings(bool(gates["image"]), _label(gates["label"]), _privacy(gates["privacy"]))


def _label(label: Mapping[str, Any]) -> LabelSettings | None:
    by, teacher = label["by"], label["teacher"]
    if by not in READERS:
        raise EchoAugmentError(f"gates.label.by must be one of {', '.join(READERS)}, got {by!r}")
    tolerance = read_number("gates.label.tolerance", label["tolerance"])
    if tolerance is not None and not 0 < tolerance <= 100:
        raise EchoAugmentError(f"gates.label.tolerance must be in (0, 100] EF points, got {tolerance:g}")
    quantile = _quantile("gates.label.quantile", label["quantile"])
    if by == "masks":
        if teacher is not None:
            raise EchoAugmentError(
                f"gates.label.by=masks uses no teacher, got gates.label.teacher={teacher}", "Leave one of them out"
            )
        if tolerance is None:
            raise EchoAugmentError(
                "gates.label.by=masks has no tolerance: VAL videos have no masks to set it on",
                "Give gates.label.tolerance=NUMBER, in EF points",
            )
        return LabelSettings("masks", None, tolerance, quantile)
    if teacher is None:
        if tolerance is not None:
            raise EchoAugmentError(
                f"gates.label.tolerance is {tolerance:g}, but there is no teacher to read EF",
                "Give gates.label.teacher=FOLDER, as train-ef writes it, or gates.label.by=masks",
            )
        return None
    return LabelSettings("teacher", str(teacher), tolerance, quantile)


def _privacy(privacy: Mapping[str, Any]) -> PrivacySettings | None:
    against = privacy["against"]
    if against is not None and against not in AGAINST:
        raise EchoAugmentError(f"gates.privacy.against must be one of {', '.join(AGAINST)} or null, got {against!r}")
    threshold = read_number("gates.privacy.threshold", privacy["threshold"])
    if threshold is not None and not -1 <= threshold <= 1:
        raise EchoAugmentError(f"gates.privacy.threshold must be in [-1, 1], got {threshold:g}")
    quantile = _quantile("gates.privacy.quantile", privacy["quantile"])
    if against is None:
        if threshold is not None:
            raise EchoAugmentError(
                f"gates.privacy.threshold is {threshold:g}, but the gate is off", "Give gates.privacy.against=others"
            )
        return None
    return PrivacySettings(against, threshold, quantile)


def read_number(name: str, value: Any) -> float | None:
    """A number of the configuration, or None.

    Raises:
        EchoAugmentError: it is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise EchoAugmentError(f"{name} must be a number or null, got {value!r}")
    return float(value)


def _quantile(name: str, value: Any) -> float:
    number = read_number(name, value)
    if number is None or not 0 < number <= 1:
        raise EchoAugmentError(f"{name} must be in (0, 1], got {value!r}")
    return number


def agree(folder: Path, wanted: dict[str, Any], calibrate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The limits that all clips of a cache are judged by, found once and kept in its ``gates.json``.

    A cache whose clips passed different gates could not say what it is, so other gates are refused there. The plan, in
    contrast, does not depend on the gates: the same line makes the same clip, whether it passes or not.

    Args:
        folder: of the cache.
        wanted: what the gates are, as plain JSON: settings and fingerprints, not the numbers that follow from them.
        calibrate: finds these numbers where the cache has none yet.

    Raises:
        EchoAugmentError: the cache is being filled with other gates, or its ``gates.json`` is damaged.
    """
    path, started = folder / GATES, (folder / PLAN).exists() or bool(list_shards(folder))  # merged clips have no plan
    found = read_gates(folder)
    theirs, limits = found.gates, found.limits
    before, now = ({name: value for name, value in gates.items() if name != KNOWS} for gates in (theirs, wanted))
    if started and before != now:
        raise EchoAugmentError(
            f"cache {folder} is being filled with the gates {before}, now they are {now}",
            "Use the same gates to go on with it, or fill another folder",
        )
    if started and theirs.get(KNOWS, wanted.get(KNOWS)) != wanted.get(KNOWS):
        raise EchoAugmentError(
            f"cache {folder} is being filled with gates whose teacher knows other hearts", "Fill another folder"
        )
    if limits is None or theirs != wanted:
        limits = calibrate() if limits is None or before != now else limits
        try:
            write_json(path, {"gates": wanted, "limits": limits})
        except OSError as error:
            raise EchoAugmentError(
                f"cannot write to the cache {folder}: {error}", "Make room or the folder writable"
            ) from error
    return limits
