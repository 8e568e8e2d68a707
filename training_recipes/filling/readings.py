"""What the gates measured of every clip, kept beside the cache, so that a resumed fill can report on all of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.cache.system.files import JsonValue
from echo_augment.cache.system.json_lines import JsonLines, read_json_lines

MEANS = ("mae", "bias", "label_ef")
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
Column = dict[str, float]
"""One figure of every clip, by clip id."""


class Readings:
    """Figures by clip, passed or rejected, in ``readings-<rank>-of-<world>.jsonl``.

    Args:
        folder: folder of the cache.
        rank: number of this process.
        world: processes that fill the cache together.
    """

    def __init__(self, folder: Path, *, rank: int = 0, world: int = 1) -> None:
        self.folder = Path(folder)
        self._path = self.folder / f"readings-{rank}-of-{world}.jsonl"
        self._file: JsonLines | None = None

    def add(self, clip_id: str, **figures: float) -> None:
        """Keep figures of one clip; those that are not finite are left out."""
        if self._file is None:
            self._file = JsonLines(self._path)
        kept = {name: round(float(value), 4) for name, value in figures.items() if np.isfinite(value)}
        self._file.add({"clip_id": clip_id, **kept})

    def close(self) -> None:
        """Sync the file to disk and close it."""
        if self._file is not None:
            self._file.close()

    def columns(self) -> dict[str, Column]:
        """Return every figure of all processes so far, by its name. A clip made twice counts once."""
        found: dict[str, Column] = {}
        for path in sorted(self.folder.glob("readings-*-of-*.jsonl")):
            for value in read_json_lines(path):
                clip_id = str(value.pop("clip_id", ""))
                for name, number in value.items():
                    if isinstance(number, int | float):
                        found.setdefault(name, {})[clip_id] = float(number)
        return found


def spread(values: Sequence[float] | npt.NDArray[np.float64]) -> dict[str, float]:
    """Return number, mean and quantiles of some values, in JSON's form; of no values just the number."""
    array = np.asarray(values, np.float64)
    if not array.size:
        return {"n": 0}
    names = [f"q{round(100 * q):02d}" for q in QUANTILES]
    quantiles = map(float, np.quantile(array, QUANTILES))
    return {"n": array.size, "mean": float(array.mean()), **dict(zip(names, quantiles, strict=True))}


def label_gate_figures(columns: Mapping[str, Column], rejected: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return how far the EF read from clips lies from their labels, before and after the gate, in EF points.

    ``label_ef`` is the mean label: if ``passed`` differs from ``all``, the gate has changed the spread of EF.

    Args:
        columns: see `Readings.columns`.
        rejected: reason by id of the clips that no gate let pass.
    """
    read, label = columns.get("read_ef", {}), columns.get("label_ef", {})
    both = [name for name in read if name in label]
    true = np.array([label[name] for name in both])
    error = np.array([read[name] for name in both]) - true
    kept = np.array([name not in rejected for name in both], bool)
    figures: dict[str, JsonValue] = {"error": spread(error)}
    for name, some in (("all", np.ones_like(kept)), ("passed", kept)):
        means = [np.abs(error[some]), error[some], true[some]]
        found = {key: float(one.mean()) if some.any() else None for key, one in zip(MEANS, means, strict=True)}
        figures[name] = {"n": int(some.sum()), **found}
    return figures


def privacy_figures(columns: Mapping[str, Column]) -> dict[str, JsonValue]:
    """Return how alike clips are to TRAIN videos; ``recognised`` is the share most alike to their appearance donor.

    Args:
        columns: see `Readings.columns`.
    """
    names = {"to_nearest_other": "nearest_other", "to_appearance_donor": "appearance", "to_motion_donor": "motion"}
    figures: dict[str, JsonValue] = {key: spread(list(columns.get(name, {}).values())) for key, name in names.items()}
    own, other = columns.get("appearance", {}), columns.get("nearest_other", {})
    both = [own[name] > other[name] for name in own if name in other]
    figures["recognised"] = float(np.mean(both)) if both else None
    return figures
