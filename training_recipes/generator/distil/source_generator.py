"""A finished generator from which a run goes on: its denoiser is distilled, or all its networks are trained further."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from diffusers.models.modeling_utils import ModelMixin
from huggingface_hub import hf_hub_download

from echo_augment.augmentor.mcdm.fingerprint import hash_networks
from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline
from echo_augment.augmentor.mcdm.residual import edm_scheduler
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON, TrainingVideos
from echo_augment.cache.errors import EchoAugmentError

from ..denoiser import scheduler_of
from ..ledger import Ledger, Setting
from ..networks import Networks
from ..preset import PresetSettings

PARTS = {"codec": "vae", "reid": "reid", "mafe": "mafe", "transport": "transport", "denoiser": "denoiser"}
"""Stages, and what their networks are called in a pipeline."""
SAME = ("frames", "rate", "size", "code")  # settings of a preset that decide what a student learns from
TRANSPORT = ("flow", "code_size")
MEASURED = ("scaling_factor", "scale", "spread", "motion_scale", "sample_size")  # of a network, not of its size
SCHEDULE = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "prediction_type",
    "clip_sample",
    "clip_sample_range",
    "timestep_spacing",
    "sigma_min",
    "sigma_max",
)


@dataclass(frozen=True, slots=True)
class SourceGenerator:
    """A generator to distil, or to train further.

    Attributes:
        pipeline: its networks.
        hash: over these, their configurations and what the pipeline adds to them, but not its number of steps.
        videos: that trained it.
        folder: where these were read.
    """

    pipeline: MCDMPipeline
    hash: str
    videos: TrainingVideos
    folder: Path


def load_source(name: str, preset: PresetSettings) -> SourceGenerator:
    """Load a generator to distil.

    Args:
        name: its folder, a Hub id, or ``bundled``.
        preset: the run's, which decides the clips that the student learns from.

    Raises:
        EchoAugmentError: it cannot be loaded, does not say which videos trained it, or makes clips or reads motion
            otherwise than the preset says.
    """
    pipeline = MCDMPipeline.load(name)
    asked: dict[str, Setting] = {"preset": preset.name} | {key: getattr(preset, key) for key in SAME}
    found: dict[str, Setting] = {key: pipeline.config[key] for key in asked}
    if pipeline.transport is not None and preset.code == "transport":
        asked |= {f"transport.{key}": getattr(preset.transport, key) for key in TRANSPORT}
        found |= {f"transport.{key}": pipeline.transport.config[key] for key in TRANSPORT}
    schedule = edm_scheduler().config if preset.code == "transport" else scheduler_of(preset).config
    asked |= {f"scheduler.{key}": schedule.get(key) for key in SCHEDULE}
    found |= {f"scheduler.{key}": pipeline.scheduler.config.get(key) for key in SCHEDULE}
    different = [f"{key}={value}, not {asked[key]}" for key, value in found.items() if asked[key] != value]
    if different:
        raise EchoAugmentError(
            f"distil={name}: that generator has {'; '.join(different)}", "Run it with the preset that trained it"
        )
    record = _record("distil", name)
    return SourceGenerator(pipeline, hash_networks(pipeline), TrainingVideos.read(record), record.parent)


def load_start(name: str, preset: PresetSettings, networks: Networks) -> SourceGenerator:
    """Load a generator to train further, and put its networks in the place of fresh ones.

    Args:
        name: its folder, a Hub id, or ``bundled``.
        preset: the run's.
        networks: the preset's, untrained; changed.

    Raises:
        EchoAugmentError: it cannot be loaded, does not say which videos trained it, or has other networks than the
            preset's.
    """
    pipeline = MCDMPipeline.load(name)
    different = [
        f"{key}={pipeline.config[key]}, not {getattr(preset, key)}"
        for key in SAME
        if pipeline.config[key] != getattr(preset, key)
    ]
    for stage, part in PARTS.items():
        ours, theirs = getattr(networks, stage), getattr(pipeline, part)
        if type(ours) is not type(theirs):
            different.append(f"{type(theirs).__name__} as {part}, not {type(ours).__name__}")
        elif ours is not None:
            sizes = {key: value for key, value in ours.config.items() if key[0] != "_" and key not in MEASURED}
            different += [
                f"{part}.{key}={theirs.config.get(key)}, not {value}"
                for key, value in sizes.items()
                if _plain(theirs.config.get(key)) != _plain(value)
            ]
    if different:
        raise EchoAugmentError(
            f"start={name}: that generator has {'; '.join(different)}", "Run it with the preset that trained it"
        )
    record = _record("start", name)
    for stage, part in PARTS.items():
        setattr(networks, stage, getattr(pipeline, part))
    return SourceGenerator(pipeline, hash_networks(pipeline), TrainingVideos.read(record), record.parent)


def _plain(value: Setting | tuple[Setting, ...]) -> Setting | tuple[Setting, ...]:
    return list(value) if isinstance(value, tuple) else value


def _record(key: str, name: str) -> Path:
    """Return the file that says which videos trained a generator."""
    folder = BUNDLED if name == "bundled" else Path(name)
    if folder.is_dir():
        path = folder / TRAINED_ON
    else:
        try:
            path = Path(hf_hub_download(name, TRAINED_ON))
        except (OSError, ValueError) as error:
            raise EchoAugmentError(
                f"{key}={name}: {TRAINED_ON}, which says which videos trained it, cannot be fetched ({error})",
                "Give the folder that train-generator wrote",
            ) from error
    if not path.is_file():
        raise EchoAugmentError(
            f"{key}={name}: there is no {TRAINED_ON} that says which videos trained it",
            "Take the folder that train-generator wrote, whole",
        )
    return path


def take_networks(ledger: Ledger, pipeline: MCDMPipeline) -> Ledger:
    """Write a generator's networks where the stages would have left them, from the process that writes.

    Returns:
        The ledger, with these stages done; in other processes it is read again.
    """
    if not ledger.writes:
        return Ledger(ledger.out, ledger.settings, writes=False)
    for stage, part in PARTS.items():
        net = getattr(pipeline, part)
        if net is not None:
            ledger.run(stage, partial(_save, net, ledger.out / stage))
    return ledger


def _save(net: ModelMixin, folder: Path) -> dict[str, float]:
    net.save_pretrained(folder)
    return {"steps": 0}
