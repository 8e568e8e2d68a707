"""The only place of the golden tests that names modules which may move; when one does, mend the import here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from echo_augment.augmentor.devices import fast_dtype
from echo_augment.augmentor.mcdm.fingerprint import CLIP_CODE, hash_weights
from echo_augment.augmentor.mcdm.motion import stretch
from echo_augment.augmentor.mcdm.pipeline import BUNDLED
from echo_augment.training_recipes.cli import main as command_line  # as pyproject.toml names it
from echo_augment.training_recipes.common.settings import object_from
from echo_augment.training_recipes.ef.training import EFRun
from echo_augment.training_recipes.segmentation.training import SegmentationRun
from echo_augment.training_recipes.training.job import run_of
from echo_augment.training_recipes.training.settings import EFTrainingSettings, TrainingSettings

__all__ = ["arithmetic", "bundled_hash", "clip_code", "command_line", "training_key", "window_of"]

KINDS = {"train-ef": (EFRun, EFTrainingSettings), "train-segmentation": (SegmentationRun, TrainingSettings)}


def training_key(job: str, settings: Mapping[str, Any]) -> str:
    """The key under which a finished training is found again.

    Args:
        job: ``train-ef`` or ``train-segmentation``.
        settings: the job's whole configuration, as ``--cfg job --resolve`` prints it.
    """
    run, kind = KINDS[job]
    return run_of(run, object_from(settings, kind)).key()


def bundled_hash() -> str:
    """Hash of the bundled generator's weights and configurations; it goes into the fingerprint of every clip."""
    return hash_weights(Path(BUNDLED))


def arithmetic() -> str:
    """Number format in which this machine's CPU makes clips; it goes into the fingerprint, too."""
    return str(fast_dtype("cpu"))


def clip_code() -> int:
    """The number that goes into every fingerprint beside the package's version."""
    return CLIP_CODE


def window_of(codes: torch.Tensor, frames: int, start: float, tempo: float) -> torch.Tensor:
    """Motion codes of ``frames`` frames, from ``start`` on, at ``tempo``."""
    return stretch(codes, frames, start=start, tempo=tempo)
