"""The labels and masks of a fill: whose EF a clip is stored with, who draws its masks, and what the report says."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.mcdm.labels import POLICIES, LabelPolicy, WithLabels
from echo_augment.augmentor.mcdm.masks import WithMasks
from echo_augment.augmentor.mcdm.training_videos import refuse_trained_on
from echo_augment.cache.errors import EchoAugmentError

from ..common.dataset import held_out_videos
from ..ef.teacher import Teacher
from ..segmentation.teacher import load_segmenter
from ..segmentation.training import traced_masks
from .settings import read_number


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """The configuration group ``label``.

    Attributes:
        policy: ``donor``, ``teacher`` or ``consensus``; see `echo_augment.augmentor.mcdm.labels`.
        teacher: folder that train-ef wrote; None with ``donor``.
        tolerance: in EF points; not used by ``donor``.
    """

    policy: str
    teacher: str | None
    tolerance: float


def read_label(label: Mapping[str, Any], gate: Mapping[str, Any]) -> LabelSettings:
    """The group ``label``, checked.

    Args:
        label: ``policy``, ``teacher`` and ``tolerance``.
        gate: the group ``gates.label``.

    Raises:
        EchoAugmentError: an unknown policy, a value out of its range, a teacher that is missing, one that would do
            nothing, or a label gate that would ask the labels' own author.
    """
    policy, teacher = label["policy"], label["teacher"]
    if policy not in POLICIES:
        raise EchoAugmentError(f"label.policy must be one of {', '.join(POLICIES)}, got {policy!r}")
    tolerance = read_number("label.tolerance", label["tolerance"])
    if tolerance is None or not 0 < tolerance <= 100:
        raise EchoAugmentError(f"label.tolerance must be in (0, 100] EF points, got {label['tolerance']}")
    if policy == "donor" and teacher is not None:
        raise EchoAugmentError(
            f"label.policy=donor uses no teacher, got label.teacher={teacher}",
            "Leave it out, or give label.policy=teacher or consensus",
        )
    if policy != "donor" and teacher is None:
        raise EchoAugmentError(
            f"label.policy={policy} has no teacher to read EF",
            "Give label.teacher=FOLDER, as train-ef writes it, or label.policy=donor",
        )
    same = None not in (teacher, gate["teacher"]) and Path(teacher).resolve() == Path(gate["teacher"]).resolve()
    if policy == "teacher" and same:
        raise EchoAugmentError(
            f"gates.label.teacher={teacher} would compare its readings with themselves: they are the labels",
            "Use another teacher for the gate, or label.policy=consensus",
        )
    return LabelSettings(policy, None if teacher is None else str(teacher), tolerance)


def labelled(generator: Any, settings: LabelSettings, root: Path, *, device: str = "cpu") -> Any:
    """A generator whose clips are labelled by a policy; the generator itself with the policy ``donor``.

    Args:
        generator: makes the clips, with the motion donor's EF and with masks, where there are to be any.
        settings: see `read_label`.
        root: of the data set.
        device: for the teacher.

    Raises:
        EchoAugmentError: no teacher in the folder, or one that a VAL or TEST video trained.
    """
    if settings.teacher is None:
        return generator
    teacher = Teacher.load(settings.teacher, device=device, held_out=held_out_videos(read_table(root)))
    options: dict[str, Any] = {"tolerance": settings.tolerance, "fingerprint": teacher.fingerprint}
    return WithLabels(generator, LabelPolicy(settings.policy, teacher=teacher, **options))


def label_figures(tables: Iterable[npt.NDArray[np.void]]) -> dict[str, Any]:
    """What a report says of the labels of stored clips; nothing where there are none.

    Args:
        tables: labels and provenance, one structured array a shard (`echo_augment.cache.ClipStore.tables`).

    Returns:
        ``policies``; means of the ``label`` and of the ``confidence``; and where a teacher read the clips, over those
        that it could read, the means of ``donor``, of ``teacher`` and of ``difference``, the absolute one of both, in
        EF points; how many were ``read``, how many ``unread``, and how many have no confidence (``unsure``).
    """
    rows = [row for table in tables for row in table[["ef", "confidence", "label_policy", "extra"]]]
    if not rows:
        return {}
    efs = np.array([row["ef"] for row in rows])
    confidence = np.array([row["confidence"] for row in rows])
    figures: dict[str, Any] = {
        "policies": sorted({bytes(row["label_policy"]).decode() for row in rows}),
        "label": float(efs.mean()),
        "confidence": float(confidence.mean()),
    }
    notes = [json.loads(bytes(row["extra"]) or b"{}") for row in rows]
    asked = [note for note in notes if "teacher_ef" in note]
    if not asked:
        return figures
    read = np.array([(note["donor_ef"], note["teacher_ef"]) for note in asked if note["teacher_ef"] is not None])
    figures |= {"read": len(read), "unread": len(asked) - len(read), "unsure": int((confidence == 0).sum())}
    if len(read):
        means = (*read.mean(0), np.abs(read[:, 1] - read[:, 0]).mean())
        figures |= dict(zip(("donor", "teacher", "difference"), map(float, means), strict=True))
    return figures


def label_words(figures: Mapping[str, Any]) -> str:
    """The figures of `label_figures` in a line; empty where no teacher read the clips."""
    if "difference" not in figures:
        return ""
    return (
        f"labels by {', '.join(figures['policies'])}: mean EF {figures['label']:.1f}, "
        f"mean |teacher - donor| {figures['difference']:.1f}, mean confidence {figures['confidence']:.2f}"
    )


def masked(generator: Any, folder: str | Path, root: Path, *, device: str = "cpu") -> WithMasks:
    """A generator whose clips carry the masks that a trained segmenter draws.

    The masks are held against the tracings of the hearts that trained the segmenter; those of others stay unknown.

    Args:
        generator: makes the clips.
        folder: that train-segmentation wrote.
        root: of the data set.
        device: for the segmenter.

    Raises:
        EchoAugmentError: no segmenter there, one that does not say what trained it, or one that a VAL or TEST video
            trained.
    """
    segmenter, folder = load_segmenter(folder, device=device), Path(folder)
    again = "Run echo-augment train-segmentation again, into another folder"
    refuse_trained_on(folder, held_out_videos(read_table(root)), what="segmenter", if_missing=again)
    return WithMasks(generator, segmenter, traced_masks(root, segmenter.labelled))
