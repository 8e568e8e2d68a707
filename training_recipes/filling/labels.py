"""The labels and masks of a fill: whose EF a clip is stored with, who draws its masks, and what the report says."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.layouts.finding import DataFolder
from echo_augment.augmentor.mcdm.labels import LabelPolicy, WithLabels
from echo_augment.augmentor.mcdm.masks import WithMasks
from echo_augment.augmentor.mcdm.training_videos import refuse_trained_on
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.generator import DonorGenerator
from echo_augment.cache.system.files import JsonValue

from ..common.dataset import held_out_videos
from ..ef.teacher import Teacher
from ..segmentation.teacher import load_segmenter
from ..segmentation.training import traced_masks
from .settings import LabelSettings


def labelled(
    generator: DonorGenerator, settings: LabelSettings, root: DataFolder, *, device: str = "cpu"
) -> DonorGenerator:
    """Return a generator whose clips are labelled by a policy; with the policy ``donor``, the generator itself.

    Args:
        generator: makes the clips, with the motion donor's EF, and with masks if there are to be any.
        settings: the policy.
        root: folder of the data set.
        device: for the teacher.

    Raises:
        EchoAugmentError: no teacher in the folder, or one that a VAL or TEST video trained.
    """
    if settings.teacher is None:
        return generator
    teacher = Teacher.load(settings.teacher, device=device, held_out=held_out_videos(read_table(root)))
    tolerance, fingerprint = float(settings.tolerance), teacher.fingerprint
    policy = LabelPolicy(settings.policy, teacher=teacher, tolerance=tolerance, fingerprint=fingerprint)
    return WithLabels(generator, policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """What a report says of the labels of stored clips; EF in percent, differences in EF points.

    Attributes:
        policies: names of the label policies.
        label: mean label.
        confidence: mean confidence.
        read: clips that a teacher read; None if none was asked, as are all below.
        unread: clips that it could not read.
        unsure: clips whose label has no confidence.
        donor: mean EF of the motion donors, over the clips read.
        teacher: mean of what the teacher read.
        difference: mean absolute difference of both.
    """

    policies: list[str]
    label: float
    confidence: float
    read: int | None = None
    unread: int | None = None
    unsure: int | None = None
    donor: float | None = None
    teacher: float | None = None
    difference: float | None = None

    @classmethod
    def of(cls, tables: Iterable[npt.NDArray[np.void]]) -> "LabelFigures | None":
        """Return the figures of some clips; None of none.

        Args:
            tables: labels and provenance, one structured array a shard (`echo_augment.cache.ClipStore.tables`).
        """
        rows = [row for table in tables for row in table[["ef", "confidence", "label_policy", "extra"]]]
        if not rows:
            return None
        confidence = np.array([row["confidence"] for row in rows])
        found = cls(
            policies=sorted({bytes(row["label_policy"]).decode() for row in rows}),
            label=float(np.mean([row["ef"] for row in rows])),
            confidence=float(confidence.mean()),
        )
        notes = [json.loads(bytes(row["extra"]) or b"{}") for row in rows]
        asked = [note for note in notes if "teacher_ef" in note]
        if not asked:
            return found
        read = np.array([(note["donor_ef"], note["teacher_ef"]) for note in asked if note["teacher_ef"] is not None])
        unread, unsure = len(asked) - len(read), int((confidence == 0).sum())
        found = replace(found, read=len(read), unread=unread, unsure=unsure)
        if not len(read):
            return found
        donor, teacher = map(float, read.mean(0))
        difference = float(np.abs(read[:, 1] - read[:, 0]).mean())
        return replace(found, donor=donor, teacher=teacher, difference=difference)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields as plain JSON, without those that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        if self.difference is None:
            return ""
        return (
            f"labels by {', '.join(self.policies)}: mean EF {self.label:.1f}, "
            f"mean |teacher - donor| {self.difference:.1f}, mean confidence {self.confidence:.2f}"
        )


def masked(generator: DonorGenerator, folder: str | Path, root: DataFolder, *, device: str = "cpu") -> WithMasks:
    """Return a generator whose clips carry the masks that a trained segmenter draws.

    The masks are held against the tracings of the videos that trained the segmenter; those of others stay unknown.

    Args:
        generator: makes the clips.
        folder: folder that ``train-segmentation`` wrote.
        root: folder of the data set.
        device: for the segmenter.

    Raises:
        EchoAugmentError: no segmenter there, one that does not say what trained it, or one that a VAL or TEST video
            trained; a generator whose clips have no ED and ES frame to hold masks against.
    """
    from echo_augment.augmentor.mcdm.clip_generator import ClipGenerator

    if isinstance(generator, ClipGenerator) and generator.phaseless:
        raise EchoAugmentError(
            "masks.segmenter: this generator is told one motion vector a clip (code=vector), which fixes no phase, so "
            "its clips have no ED and ES frame to hold masks against",
            "Leave masks.segmenter out, or take a generator with a motion code a frame",
        )
    segmenter, folder = load_segmenter(folder, device=device), Path(folder)
    again = "Run echo-augment train-segmentation again, into another folder"
    refuse_trained_on(folder, held_out_videos(read_table(root)), what="segmenter", if_missing=again)
    return WithMasks(generator, segmenter, traced_masks(root, segmenter.labelled))
