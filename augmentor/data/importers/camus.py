"""CAMUS (Leclerc et al., IEEE TMI 2019): apical two- and four-chamber half beats with masks, quality and EF.

Written to the format as published, ``database_nifti/patient0001/patient0001_4CH_half_sequence.nii.gz`` with ``_gt``,
``Info_4CH.cfg``, and ``database_split/subgroup_*.txt`` beside it, and to the older one of MetaImage files with
``LVef``, ``LVedv`` and ``LVesv``. No original file was at hand.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.export import trace_mask

from .discs import Discs, ejection_fraction, measure, volume
from .frame_rate import choose_rate
from .records import VIEWS, ImportPlan, Labels, Left, Lines, ReadClip, Source
from .sector import fit, fitted
from .volume_images import Volume, as_grey, find_volume, read_volume

LV = 1  # label of the left ventricle's cavity in a mask
SPLIT_FILES = {"TRAIN": "subgroup_training.txt", "VAL": "subgroup_validation.txt", "TEST": "subgroup_testing.txt"}
QUALITIES = ("Good", "Medium", "Poor")
CFG_BYTES = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Phase:
    """One of the two traced moments.

    Attributes:
        frame: index in the sequence, or -1 where the sequence does not hold it.
        mask: LV mask, ``(H, W)`` bool, or None.
    """

    frame: int
    mask: npt.NDArray[np.bool_] | None


def find_patients(root: Path, views: tuple[str, ...]) -> Iterator[Source]:
    """Yield each view of each patient below a folder; a patient's folder is one with an ``Info_*.cfg``."""
    folders = sorted({path.parent for path in root.rglob("Info_*CH.cfg")})
    for folder in folders:
        for view in views:
            if (folder / f"Info_{view}.cfg").is_file():
                yield Source(folder, root, view)


def read_camus(source: Source, plan: ImportPlan) -> ReadClip:
    """Read one view of a patient.

    Raises:
        Left: a file is missing or damaged.
    """
    folder, stem = source.path, f"{source.path.name}_{source.view}"
    info = read_info(folder / f"Info_{source.view}.cfg")
    sequence, masks, notes = read_sequence(folder, stem)
    frames = as_grey(sequence.frames)
    rate = choose_rate({"Info": number(info, "FrameRate")}, wanted=plan.fps)
    phases = {name: phase_of(name, info, folder, stem, masks, len(frames)) for name in ("ED", "ES")}
    edv, esv = volumes_of(source)
    stated = next((value for key in ("EF", "LVef") if np.isfinite(value := number(info, key))), float("nan"))
    given = {name: number(info, f"LV{name}") for name in ("edv", "esv")}
    labels = Labels(
        ef=stated,
        edv=given["edv"] if np.isfinite(given["edv"]) else edv,
        esv=given["esv"] if np.isfinite(given["esv"]) else esv,
        split=official_split(source),
        quality=quality if (quality := info.get("ImageQuality", "").title()) in QUALITIES else "",
        ef_by_discs=ejection_fraction(edv, esv),
    )
    square = isotropic(frames, sequence.spacing)
    return ReadClip(
        frames=fit(square, plan.image_size),
        fps=rate.fps,
        patient=folder.name,
        names=(stem, folder.name),
        notes=(*rate.notes, *notes),
        labels=labels,
        tracings=tracings_of(phases, sequence.spacing, plan.image_size),
    )


def read_sequence(folder: Path, stem: str) -> tuple[Volume, Volume | None, tuple[str, ...]]:
    """Return the frames, their masks or None, and notes.

    Raises:
        Left: the sequence is missing, damaged or a single frame.
    """
    names = [name for name in ("half_sequence", "sequence") if find_volume(folder, f"{stem}_{name}")]
    if not names:
        raise Left("its sequence is not there", "no image", "Copy *_half_sequence.nii.gz or *_sequence.mhd")
    path, traced = find_volume(folder, f"{stem}_{names[0]}"), find_volume(folder, f"{stem}_{names[0]}_gt")
    assert path is not None
    sequence = read_volume(path)
    if len(sequence.frames) < 2:
        raise Left("a single frame", "single frame")
    if traced is None:
        return sequence, None, ()
    masks = read_volume(traced)
    if masks.frames.shape != sequence.frames.shape:
        return sequence, None, ("its masks have another size than its frames and are not used",)
    return sequence, masks, ()


def read_info(path: Path) -> dict[str, str]:
    """Return the lines ``key: value`` of an ``Info_*.cfg``.

    Raises:
        Left: it is no text.
    """
    with path.open("rb") as file:
        text = file.read(CFG_BYTES).decode("utf-8", "replace")
    pairs = [line.split(":", 1) for line in text.splitlines() if ":" in line]
    if not pairs or "\ufffd" in text:
        raise Left("its Info file is no text of key: value", "damaged", "Copy it again")
    return {key.strip(): value.strip() for key, value in pairs}


def number(info: dict[str, str], key: str) -> float:
    """Return a number of the Info file, or NaN."""
    try:
        return float(info[key])
    except (KeyError, ValueError):
        return float("nan")


def phase_of(name: str, info: dict[str, str], folder: Path, stem: str, masks: Volume | None, count: int) -> Phase:
    """Return the frame of ED or ES, counted from 1 in the Info file, and its mask, of the sequence or its own file."""
    stated = number(info, name)
    frame = int(stated) - 1 if np.isfinite(stated) and 1 <= stated <= count else -1
    if masks is not None and frame >= 0:
        return Phase(frame, np.asarray(masks.frames[frame] == LV))
    return Phase(frame, single_mask(folder, stem, name))


def single_mask(folder: Path, stem: str, name: str) -> npt.NDArray[np.bool_] | None:
    """Return the cavity of ``*_ED_gt`` or ``*_ES_gt``, ``(H, W)`` bool; None if there is no such file."""
    path = find_volume(folder, f"{stem}_{name}_gt")
    return None if path is None else np.asarray(read_volume(path).frames[0] == LV)


def volumes_of(source: Source) -> tuple[float, float]:
    """Return EDV and ESV in mL by the method of discs, biplane if both views are traced; NaN if none is."""
    found: dict[str, list[Discs]] = {"ED": [], "ES": []}
    for view in (source.view, *(other for other in VIEWS if other != source.view)):
        try:
            discs = view_discs(source.path, view)
        except Left:
            if view == source.view:
                raise
            continue  # the other view is damaged: its own source says so
        if discs is not None:
            found["ED"].append(discs[0])
            found["ES"].append(discs[1])
    if not found["ED"]:
        return float("nan"), float("nan")
    return volume(*found["ED"][:2]), volume(*found["ES"][:2])


def view_discs(folder: Path, view: str) -> tuple[Discs, Discs] | None:
    """Return the discs of one view at ED and ES; None if it is not traced."""
    stem, cfg = f"{folder.name}_{view}", folder / f"Info_{view}.cfg"
    if not cfg.is_file():
        return None
    info = read_info(cfg)
    path = next((p for n in ("half_sequence_gt", "sequence_gt") if (p := find_volume(folder, f"{stem}_{n}"))), None)
    masks = read_volume(path) if path else None
    count = len(masks.frames) if masks is not None else 0
    discs = []
    for name in ("ED", "ES"):
        mask = phase_of(name, info, folder, stem, masks, count).mask
        single = find_volume(folder, f"{stem}_{name}_gt")
        spacing = masks.spacing if masks is not None else read_volume(single).spacing if single else (1.0, 1.0)
        discs.append(None if mask is None else measure(mask, spacing))
    first, second = discs
    return (first, second) if first is not None and second is not None else None


def isotropic(frames: npt.NDArray[np.uint8], spacing: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Resize frames to square pixels of the finer of the two sizes."""
    shape = isotropic_shape(frames.shape[1], frames.shape[2], spacing)
    if shape == frames.shape[1:]:
        return frames
    return np.stack([cv2.resize(frame, shape[::-1], interpolation=cv2.INTER_LINEAR) for frame in frames])


def isotropic_shape(height: int, width: int, spacing: tuple[float, float]) -> tuple[int, int]:
    """Return ``(H, W)`` of the picture with square pixels.

    Raises:
        Left: a pixel is over 20 times as long as wide.
    """
    fine = min(spacing)
    if max(spacing) > 20 * fine:
        raise Left(f"pixels of {spacing[1]:g} x {spacing[0]:g} mm", "damaged")
    return max(1, round(height * spacing[0] / fine)), max(1, round(width * spacing[1] / fine))


def tracings_of(phases: dict[str, Phase], spacing: tuple[float, float], image_size: int) -> dict[int, Lines]:
    """Return EchoNet's lines of ED and ES in pixels of the clip, the smaller mask first; none unless both are there."""
    found: dict[int, Lines] = {}
    traced = [phase for phase in phases.values() if phase.mask is not None and phase.frame >= 0]
    if len(traced) < 2 or traced[0].frame == traced[1].frame:
        return {}
    for phase in sorted(traced, key=lambda one: int(one.mask.sum()) if one.mask is not None else 0):
        assert phase.mask is not None
        height, width = phase.mask.shape
        rows, columns = isotropic_shape(height, width, spacing)
        top, left, rows, columns = fitted(rows, columns, image_size)
        small = cv2.resize(phase.mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) >= 0.5
        try:
            found[phase.frame] = trace_mask(small) + np.array([left, top, left, top])
        except EchoAugmentError:
            return {}
    return found


def official_split(source: Source) -> str:
    """Return the split that ``database_split/subgroup_*.txt`` puts a patient in; empty if none does."""
    for folder in (source.root, source.root.parent, source.path.parent, source.path.parent.parent):
        for split, name in SPLIT_FILES.items():
            path = folder / "database_split" / name
            if path.is_file() and re.search(rf"^\s*{re.escape(source.path.name)}\s*$", path.read_text("utf-8"), re.M):
                return split
    return ""
