"""Which gates the clips of a cache passed: its ``gates.json``, written by the job that fills it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from .errors import EchoAugmentError

GATES = "gates.json"
KNOWS = "knows"  # names of the hearts whose labels the gates' teachers learned from, where that is known
IMAGE_ONLY: dict[str, Any] = {"image": True, "label": None, "privacy": None}


class GateFile(NamedTuple):
    """What the file says.

    Attributes:
        gates: settings and fingerprints of the gates, plain JSON.
        limits: the numbers that follow from them; None where there is no file.
    """

    gates: dict[str, Any]
    limits: dict[str, Any] | None


def chosen_by_labels(gates: dict[str, Any]) -> bool:
    """Whether a net that learned from labels had a say in which clips passed: a teacher of EF, or of LV masks."""
    return (gates.get("label") or {}).get("teacher") is not None or gates.get("masks") is not None


def read_gates(folder: Path) -> GateFile:
    """The gates of a cache; without the file, those of a job that knew the image gate alone.

    Raises:
        EchoAugmentError: the file is damaged.
    """
    path = Path(folder) / GATES
    if not path.exists():
        return GateFile(IMAGE_ONLY, None)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return GateFile(dict(found["gates"]), dict(found["limits"]))
    except (ValueError, KeyError, TypeError) as error:
        raise EchoAugmentError(
            f"{path} is damaged ({error})", "Delete it if the folder has no clips yet, or fill another folder"
        ) from error
