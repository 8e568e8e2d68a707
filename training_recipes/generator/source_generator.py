"""A finished generator whose denoiser a run distils: its networks are taken as they are, only the student learns."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from omegaconf import DictConfig

from echo_augment.augmentor.mcdm.fingerprint import hash_network
from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON
from echo_augment.cache.errors import EchoAugmentError

from .denoiser import noise_scheduler
from .stages import Stages

PARTS = {"codec": "vae", "reid": "reid", "mafe": "mafe", "transport": "transport", "denoiser": "denoiser"}
SAME = ("preset", "frames", "rate", "size", "code")  # settings that decide what a student learns from
SCHEDULE = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "prediction_type",
    "clip_sample",
    "clip_sample_range",
    "timestep_spacing",
)
DECIDING = (*SAME, "code_mean", "code_std", "detail")


@dataclass(frozen=True, slots=True)
class Teacher:
    """A generator to distil.

    Attributes:
        pipeline: its networks.
        hash: over these, their configurations and what the pipeline adds to them, but not its number of steps.
        hearts: hashes of the videos that trained it, ``{"first": [...], "content": [...]}``.
        folder: where these were read.
    """

    pipeline: MCDMPipeline
    hash: str
    hearts: Mapping[str, list[str]]
    folder: Path

    def trained_on_too(self, hashes: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """The hashes of videos, with those of the videos that trained the teacher."""
        return {key: list(dict.fromkeys([*self.hearts[key], *mine])) for key, mine in hashes.items()}


def load_teacher(name: str, preset: DictConfig) -> Teacher:
    """Load a generator to distil.

    Args:
        name: its folder, a Hub id, or ``bundled``.
        preset: of the run, which decides the clips that the student learns from.

    Raises:
        EchoAugmentError: it cannot be loaded, does not say which videos trained it, or makes clips or reads motion
            otherwise than the preset says.
    """
    pipeline = MCDMPipeline.load(name)
    found = {key: pipeline.config[key] for key in SAME}
    asked = {key: preset["name" if key == "preset" else key] for key in SAME}
    if pipeline.transport is not None and preset.code == "transport":
        for key in ("flow", "code_size"):
            found[f"transport.{key}"], asked[f"transport.{key}"] = pipeline.transport.config[key], preset.transport[key]
    schedule = noise_scheduler().config
    for key in SCHEDULE:
        found[f"scheduler.{key}"], asked[f"scheduler.{key}"] = pipeline.scheduler.config.get(key), schedule[key]
    different = [f"{key}={value}, not {asked[key]}" for key, value in found.items() if asked[key] != value]
    if different:
        raise EchoAugmentError(
            f"distil={name}: that generator has {'; '.join(different)}", "Run it with the preset that trained it"
        )
    record = _record(name)
    return Teacher(pipeline, _hash(pipeline), _read(record), record.parent)


def _record(name: str) -> Path:
    """The file that says which videos trained a generator."""
    folder = BUNDLED if name == "bundled" else Path(name)
    if folder.is_dir():
        path = folder / TRAINED_ON
    else:
        try:
            path = Path(hf_hub_download(name, TRAINED_ON))
        except (OSError, ValueError) as error:
            raise EchoAugmentError(
                f"distil={name}: {TRAINED_ON}, which says which videos trained it, cannot be fetched ({error})",
                "Give the folder that train-generator wrote",
            ) from error
    if not path.is_file():
        raise EchoAugmentError(
            f"distil={name}: there is no {TRAINED_ON} that says which videos trained it",
            "Take the folder that train-generator wrote, whole",
        )
    return path


def _read(record: Path) -> dict[str, list[str]]:
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        return {key: list(known[key]) for key in ("first", "content")}
    except (ValueError, KeyError, TypeError) as error:
        raise EchoAugmentError(
            f"{record}: does not say which videos trained the generator ({type(error).__name__}: {error})",
            "Take the folder that train-generator wrote, whole",
        ) from None


def _hash(pipeline: MCDMPipeline) -> str:
    parts = {name: net for name in PARTS.values() if (net := getattr(pipeline, name)) is not None}
    hashes = {name: hash_network(net) for name, net in parts.items()}
    plain = {key: pipeline.config[key] for key in DECIDING}
    return hashlib.sha256(json.dumps([hashes, plain], sort_keys=True).encode()).hexdigest()[:16]


def take_networks(stages: Stages, pipeline: MCDMPipeline) -> Stages:
    """Write a generator's networks where the stages would have left them; the process that writes does, others read."""
    if not stages.writes:
        return Stages(stages.out, stages.settings, writes=False)
    for stage, part in PARTS.items():
        net: Any = getattr(pipeline, part)
        if net is not None:
            stages.run(stage, partial(_save, net, stages.out / stage))
    return stages


def _save(net: Any, folder: Path) -> dict[str, Any]:
    net.save_pretrained(folder)
    return {"steps": 0}
