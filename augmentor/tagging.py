"""What a sample carries beside itself when asked to: a weight for the loss, and where it comes from."""

from typing import Any

import numpy as np

from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError


def describe(clip: EchoClip | None) -> dict[str, Any]:
    """Where an item comes from, as a dict that a DataLoader collates; None is a real item."""
    source = None if clip is None else clip.provenance
    return {
        "synthetic": clip is not None,
        "clip_id": "" if clip is None else clip.clip_id,
        "motion_donor": "" if source is None else source.motion_donor,
        "appearance_donor": "" if source is None else source.appearance_donor,
        "confidence": 1.0 if clip is None else float(clip.confidence),
    }


def tagged(sample: Any, weight: np.float32 | None, provenance: dict[str, Any] | None) -> Any:
    """``sample`` with what is not None appended (tuple, list) or added under its name (dict).

    Raises:
        EchoAugmentError: the sample is neither tuple, list nor dict.
    """
    extra = {"weight": weight, "provenance": provenance}
    extra = {name: value for name, value in extra.items() if value is not None}
    if isinstance(sample, dict):
        return {**sample, **extra}
    if isinstance(sample, list):
        return [*sample, *extra.values()]
    if isinstance(sample, tuple):
        return (*sample, *extra.values())
    raise EchoAugmentError(
        f"a sample of type {type(sample).__name__} cannot carry {' and '.join(extra)}",
        "Use weights=False and provenance=False, or let the dataset give tuples or dicts",
    )
