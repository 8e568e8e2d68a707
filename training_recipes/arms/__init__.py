"""Arms: what a model is trained on. Everything else is equal between them.

An arm is a file ``conf/arm/<name>.yaml`` that names one of the functions here (or your own, by ``_target_``).
"""

from .peer_clips import peer
from .specification import (
    CLIP_KINDS,
    TEACHER,
    Arm,
    TrainingSet,
    classical,
    clips_of,
    make_arm,
    no_teacher,
    real,
    source_of,
    teacher_of,
)
from .strong import classical_strong, mixup
from .synthetic_clips import synthetic
from .unlabelled import mean_teacher, pseudo_label, synthetic_mean_teacher, synthetic_pseudo_label

__all__ = [
    "CLIP_KINDS",
    "TEACHER",
    "Arm",
    "TrainingSet",
    "classical",
    "classical_strong",
    "clips_of",
    "make_arm",
    "mean_teacher",
    "mixup",
    "no_teacher",
    "peer",
    "pseudo_label",
    "real",
    "source_of",
    "synthetic",
    "synthetic_mean_teacher",
    "synthetic_pseudo_label",
    "teacher_of",
]
