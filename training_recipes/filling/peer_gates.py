"""The label gate of other people's clips: do they show the EF that their table states?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from echo_augment.augmentor.data import VideoInfo, read_table
from echo_augment.augmentor.data.layouts.finding import DataFolder
from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import IMAGE_ONLY, ClipGate, Gate
from echo_augment.cache.rejections import read_reasons
from echo_augment.cache.system.files import JsonValue

from ..common.dataset import ClipShape, held_out_videos
from ..ef.teacher import Teacher
from .agreement import Limits, agree
from .label_gate import LabelGate, set_tolerance
from .readings import Readings, label_gate_figures
from .settings import LabelGateSettings


@dataclass(frozen=True)
class PeerGates:
    """What judges the clips of an import, beside the image gate.

    Attributes:
        gates: none, or two: of a clip's length and of its label.
        readings: what the teacher read; None without it.
        limits: tolerance, and what it was set by.
    """

    gates: tuple[Gate | ClipGate, ...]
    readings: Readings | None
    limits: Limits

    def figures(self) -> dict[str, JsonValue]:
        """Return what the report says of all clips that were judged so far; empty without a label gate."""
        if self.readings is None:
            return {}
        label = label_gate_figures(self.readings.columns(), read_reasons(self.readings.folder))
        return {"limits": {**self.limits}, "label": label}  # type: ignore[dict-item]


def make_peer_gates(
    settings: LabelGateSettings | None, folder: Path, *, against: DataFolder | None, device: str = "cpu"
) -> PeerGates:
    """Return the gates of an import into the cache ``folder``.

    Without a tolerance it is set on VAL of the real data set ``against``: a quantile of the teacher's errors on one of
    its windows a video. Nothing of TEST is read for it.

    Args:
        settings: of the label gate; None, or one without a teacher, for none.
        folder: of the cache.
        against: the real data set, with the unit of its EF; none of its VAL and TEST videos may have trained the
            teacher.
        device: for the teacher.

    Raises:
        EchoAugmentError: a gate by masks, which such clips have not; no tolerance and no data set to set it on; a bad
            teacher; or the cache was begun with other gates.
    """
    if settings is None or not settings.on:
        agree(folder, IMAGE_ONLY)
        return PeerGates((), None, Limits())
    if settings.teacher is None:
        raise EchoAugmentError("gates.label.by=masks: imported clips have no masks", "Give gates.label.teacher=FOLDER")
    if settings.tolerance is None and against is None:
        raise EchoAugmentError(
            "gates.label has no tolerance, and no real VAL videos to set it on",
            "Give gates.label.tolerance=NUMBER (EF points), or against=FOLDER",
        )
    table = None if against is None else read_table(against)
    held_out = [] if table is None else held_out_videos(table)
    teacher = Teacher.load(settings.teacher, device=device, held_out=held_out)
    val = table.split("VAL") if table is not None and settings.tolerance is None else []
    named: dict[str, JsonValue] = {**IMAGE_ONLY, "label": settings.to_json(teacher.fingerprint)}
    limits = agree(folder, named, partial(label_limits, settings, teacher, val))
    readings = Readings(folder)
    gate = LabelGate(teacher, reader="teacher", tolerance=limits["label"]["tolerance"], readings=readings)
    return PeerGates((partial(long_enough, teacher), gate), readings, limits)


def label_limits(settings: LabelGateSettings, teacher: Teacher, val: Sequence[VideoInfo]) -> Limits:
    """Return the tolerance as given, or set on real VAL videos."""
    if settings.tolerance is not None:
        return Limits(label={"tolerance": float(settings.tolerance)})
    form = teacher.form
    frames = int(form.length or 1) * form.period
    shape = ClipShape(frames, form.fps, form.size[0] if form.size else 112)
    return Limits(label=set_tolerance(teacher, val, shape, quantile=settings.quantile))


def long_enough(teacher: Teacher, line: PlanLine, clip: EchoClip) -> str | None:
    """Reject a clip that is shorter than the teacher's window."""
    if teacher.room(clip) >= 0:
        return None
    wanted = int(teacher.form.length or 1) * teacher.form.period / teacher.form.fps
    return f"short: {len(clip.frames) / clip.fps:.2f} s, the teacher reads {wanted:.2f} s"
