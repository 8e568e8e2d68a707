"""What all fills of one cache agree on: the gates, and the limits that follow from them, in its ``gates.json``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.fill import PLAN
from echo_augment.cache.gates import GATES, KNOWS, GateFile, read_gates
from echo_augment.cache.manifest import list_shards
from echo_augment.cache.system.files import JsonValue, write_json
from echo_augment.cache.system.limits import cannot_write


class LabelLimit(TypedDict):
    """Limit of the label gate in EF points, and the reader's errors on VAL that it was set by."""

    tolerance: float
    mae: NotRequired[float]
    bias: NotRequired[float]
    val_hearts: NotRequired[int]


class PrivacyLimit(TypedDict):
    """Limits of the privacy gate, and how alike real, different videos are.

    ``threshold`` is for the nearest TRAIN video, ``pair_threshold`` for one given video, the motion donor.
    """

    threshold: float
    pair_threshold: float
    val_hearts: NotRequired[int]
    val_to_nearest_train: NotRequired[dict[str, float]]
    val_to_train: NotRequired[dict[str, float]]


class Limits(TypedDict, total=False):
    """The limits in ``gates.json``, by gate."""

    label: LabelLimit
    privacy: PrivacyLimit


def agree(folder: Path, wanted: Mapping[str, JsonValue], calibrate: Callable[[], Limits] = Limits) -> Limits:
    """Return the limits that all clips of a cache are judged by, found once and kept in its ``gates.json``.

    A cache whose clips passed different gates could not say what it is, so other gates are refused there. The plan, in
    contrast, does not depend on the gates: the same line makes the same clip, whether it passes or not.

    Args:
        folder: folder of the cache.
        wanted: what the gates are, as plain JSON: settings and fingerprints, not the numbers that follow from them.
        calibrate: finds these numbers if the cache has none yet.

    Raises:
        EchoAugmentError: the cache is being filled with other gates, or its ``gates.json`` is damaged.
    """
    started = (folder / PLAN).exists() or bool(list_shards(folder))  # merged clips have no plan
    found = read_gates(folder)
    before, now = ({name: value for name, value in gates.items() if name != KNOWS} for gates in (found.gates, wanted))
    if started and before != now:
        raise EchoAugmentError(
            f"cache {folder} is being filled with the gates {before}, now they are {now}",
            "Use the same gates to go on with it, or fill another folder",
        )
    if started and found.gates.get(KNOWS, wanted.get(KNOWS)) != wanted.get(KNOWS):
        raise EchoAugmentError(
            f"cache {folder} is being filled with gates whose teacher knows other videos", "Fill another folder"
        )
    if found.limits is not None and found.gates == wanted:
        return cast(Limits, found.limits)
    limits = calibrate() if found.limits is None or before != now else cast(Limits, found.limits)
    try:
        write_json(folder / GATES, GateFile(dict(wanted), cast(dict[str, JsonValue], limits)).to_json())
    except OSError as error:
        raise cannot_write(f"the cache {folder}", error, kept="every sealed clip is kept") from error
    return limits
