"""A finished generator whose denoiser a run distils: its networks are taken as they are, only the student learns."""

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from echo_augment.augmentor.mcdm.generate import TRAINED_ON
from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline
from echo_augment.cache.errors import EchoAugmentError

from .ledger import Stages

PARTS = {"codec": "vae", "reid": "reid", "mafe": "mafe", "transport": "transport", "denoiser": "denoiser"}


def load_teacher(name: str, preset: DictConfig) -> MCDMPipeline:
    """Load a generator to distil.

    Args:
        name: its folder, a Hub id, or ``bundled``.
        preset: of the run, which decides the clips that the student learns from.

    Raises:
        EchoAugmentError: it cannot be loaded, or makes clips or reads motion otherwise than the preset says.
    """
    pipeline = MCDMPipeline.load(name)
    found = {key: pipeline.config[key] for key in ("frames", "rate", "size", "code")}
    asked = {key: preset[key] for key in found}
    if pipeline.transport is not None:
        found["transport.flow"] = pipeline.transport.config["flow"]
        asked["transport.flow"] = preset.transport.flow
    different = [f"preset.{key}={value}" for key, value in found.items() if asked[key] != value]
    if different:
        raise EchoAugmentError(
            f"distil={name}: that generator has {', '.join(different)}, the preset {preset.name} has not",
            "Give the run those settings",
        )
    return pipeline


def take_networks(stages: Stages, pipeline: MCDMPipeline) -> Stages:
    """Write a generator's networks where the stages would have left them; the process that writes does, others read."""
    if not stages.writes:
        return Stages(stages.out, stages.settings, writes=False)
    for stage, part in PARTS.items():
        net: Any = getattr(pipeline, part)
        if net is not None:
            stages.run(stage, lambda net=net, stage=stage: _save(net, stages.out / stage))
    return stages


def _save(net: Any, folder: Path) -> dict[str, Any]:
    net.save_pretrained(folder)
    return {"steps": 0}


def trained_on(name: str) -> dict[str, list[str]]:
    """Hashes of the videos that trained a generator, for the leak guard; none where its folder does not say."""
    path = (BUNDLED if name == "bundled" else Path(name)) / TRAINED_ON
    none: dict[str, list[str]] = {"first": [], "content": []}
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else none
