"""The dataset's tables: which clips stay, their splits by patient, FileList.csv and VolumeTracings.csv."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError

from ..csv_files import read_csv
from .identity import write_public
from .label_table import SPLITS, LabelTable, joined
from .records import Labels, Outcome

FILE_LIST = ("FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split", "Patient")
MORE = ("View", "ImageQuality")
TRACINGS = ("FileName", "X1", "Y1", "X2", "Y2", "Frame")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """A clip of the dataset.

    Attributes:
        clip: record of the import.
        labels: labels of the file and of the table.
        split: ``TRAIN``, ``VAL`` or ``TEST``.
    """

    clip: Outcome
    labels: Labels
    split: str


def drop_twins(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Leave out all but one of the clips with equal frames: a copy in another split would be a leak.

    Returns:
        All outcomes, by name and source; the order of ``outcomes`` does not matter.
    """
    first: dict[str, Outcome] = {}
    result = []
    for one in sorted(outcomes, key=lambda each: (each.name, each.source)):
        if one.status == "in" and one.content in first:
            reason = f"the same frames as clip {first[one.content].name}"
            one = replace(one, status="out", kind="duplicate", reason=reason)
        elif one.status == "in":
            first[one.content] = one
        result.append(one)
    return result


def join_labels(clips: Sequence[Outcome], table: LabelTable) -> tuple[list[Outcome], list[Labels], set[int]]:
    """Join clips to their rows of the table.

    Returns:
        The clips, with the table's patient if their file names none; their labels; the indices of the rows used.
    """
    known, found, used = [], [], set()
    for clip in clips:
        own = Labels(
            ef=unknown(clip.ef),
            edv=unknown(clip.edv),
            esv=unknown(clip.esv),
            split=clip.split,
            quality=clip.quality,
            ef_by_discs=unknown(clip.ef_by_discs),
        )
        index = table.find(clip.keys)
        both = joined(own, None if index is None else table.rows[index])
        found.append(replace(both, ef=both.ef_by_discs) if math.isnan(both.ef) else both)
        if index is not None:
            used.add(index)
            if clip.patient == clip.name and table.patients[index]:
                clip = replace(clip, patient=table.patients[index])
        known.append(clip)
    return known, found, used


def draw_splits(
    patients: Mapping[str, str], before: Mapping[str, str], shares: Sequence[float], seed: int
) -> dict[str, str]:
    """Return a split for every patient: as stated, else as before, else drawn.

    Patients are drawn in an order that only the seed and their hashes decide, each into the split that lacks most.
    Given ``before``, patients imported later change nobody's split.

    Args:
        patients: patient -> split as stated, or empty.
        before: patient -> split of an earlier import into the same folder.
        shares: shares of TRAIN, VAL and TEST among all patients.
        seed: seed of the order.

    Raises:
        EchoAugmentError: ``shares`` are not three of at least 0 that sum to 1.

    >>> sorted(draw_splits({"a": "", "b": "", "c": "VAL", "d": ""}, {}, (0.5, 0.25, 0.25), 0).items())
    [('a', 'TRAIN'), ('b', 'TEST'), ('c', 'VAL'), ('d', 'TRAIN')]
    """
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise EchoAugmentError(f"splits must be three shares (train, val, test) that sum to 1, got {list(shares)}")
    result = {patient: told or before.get(patient, "") for patient, told in patients.items()}
    counts = Counter(split for split in result.values() if split)
    todo = [patient for patient, split in result.items() if not split]
    for patient in sorted(todo, key=lambda one: sha256(f"{seed}:{one}".encode()).digest()):
        lack = [share * len(result) - counts[split] for split, share in zip(SPLITS, shares, strict=True)]
        result[patient] = SPLITS[lack.index(max(lack))]
        counts[result[patient]] += 1
    return result


def told_splits(clips: Sequence[Outcome], labels: Sequence[Labels]) -> dict[str, str]:
    """Return patient -> split that the table or the source states, or empty.

    Raises:
        EchoAugmentError: a patient is in two splits.
    """
    told: dict[str, str] = {}
    for clip, label in zip(clips, labels, strict=True):
        split = told.setdefault(clip.patient, label.split) or label.split
        told[clip.patient] = split
        if label.split and label.split != split:
            raise EchoAugmentError(
                f"clip {clip.name}: its patient ({clip.patient}) is in {split} and in {label.split}",
                "Put all clips of a patient into one split in the label table",
            )
    return told


def splits_before(out: Path) -> dict[str, str]:
    """Return patient -> split of the FileList.csv in ``out``; empty if there is none, or none with patients."""
    path = out / "FileList.csv"
    if not path.is_file():
        return {}
    file = read_csv(path)
    patient, split = file.column("patient"), file.column("split")
    if patient is None or split is None:
        return {}
    return {fields[patient]: fields[split] for _, fields in file.rows if len(fields) == len(file.header)}


def write_tables(out: Path, rows: Sequence[Row]) -> None:
    """Write both tables, each whole or not at all; FileList.csv last, for it makes a folder a dataset."""
    ordered = sorted(rows, key=lambda row: row.clip.name)
    lines: list[tuple[object, ...]] = []
    for row in ordered:
        for frame, tracing in row.clip.tracings.items():
            lines += [(f"{row.clip.name}.avi", *(f"{value:.6g}" for value in line), frame) for line in tracing]
    write_public(out / "VolumeTracings.csv", TRACINGS, lines)
    more = MORE if any(row.clip.view or row.labels.quality for row in ordered) else ()
    table = []
    for row in ordered:
        clip, labels = row.clip, row.labels
        numbers = [shown(labels.ef), shown(labels.esv), shown(labels.edv), clip.image_size, clip.image_size]
        fields = [clip.name, *numbers, f"{clip.fps:.6g}", clip.num_frames, row.split, clip.patient]
        table.append([*fields, *((clip.view, labels.quality) if more else ())])
    write_public(out / "FileList.csv", FILE_LIST + more, table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """EF by the method of discs on a source's own masks against the EF that it states, one pair a patient.

    Attributes:
        n: patients.
        mae: mean absolute difference, EF points.
        bias: mean of EF by discs minus stated EF, EF points.
    """

    n: int
    mae: float
    bias: float


def agreement(clips: Sequence[Outcome]) -> Agreement | None:
    """Return how the two EFs agree; None if no source has both."""
    pairs = {
        one.patient: one.ef_by_discs - one.ef for one in clips if one.ef is not None and one.ef_by_discs is not None
    }
    if not pairs:
        return None
    off = list(pairs.values())
    return Agreement(n=len(off), mae=sum(map(abs, off)) / len(off), bias=sum(off) / len(off))


def shown(value: float) -> str:
    """Return a label as text; empty if unknown."""
    return f"{value:.8g}" if math.isfinite(value) else ""


def unknown(value: float | None) -> float:
    """Return ``value``, NaN for None."""
    return math.nan if value is None else value
