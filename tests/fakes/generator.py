"""Settings of ``train-generator`` for tests, composed as the command composes them."""

import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig

from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.residual import edm_scheduler
from echo_augment.training_recipes.common.settings import settings_from
from echo_augment.training_recipes.generator.networks import build_networks
from echo_augment.training_recipes.generator.preset import PresetSettings
from echo_augment.training_recipes.generator.settings import GeneratorSettings
from echo_augment.training_recipes.jobs import train_generator  # noqa: F401  registers the settings

SHORT = [
    "preset.codec.steps=3",
    "preset.reid.steps=2",
    "preset.reid.hearts=4",
    "preset.mafe.steps=2",
    "preset.mafe.batch=4",
    "preset.transport.steps=2",
    "preset.transport.batch=8",
    "preset.denoiser.steps=2",
    "preset.denoiser.batch=2",
    "preset.couplings.clips=5",
    "preset.couplings.batch=2",
    "preset.couplings.steps=2",
    "preset.student.steps=2",
    "preset.student.batch=2",
    "preset.codec.hearts=4",
    "reenactment.videos=0",
    "precision=no",
    "device=cpu",
]


def compose_job(*overrides: str) -> DictConfig:
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        return compose("train-generator", overrides=list(overrides))


def short_job(out, root, *overrides: str) -> DictConfig:
    """A job of a few steps on a folder."""
    return compose_job(f"out={out}", "data=echonet", f"data.root={root}", *SHORT, *overrides)


def settings(*overrides: str) -> GeneratorSettings:
    return settings_from(compose_job("out=x", *overrides), GeneratorSettings)


def preset(*overrides: str) -> PresetSettings:
    return settings(*overrides).preset


def untrained_generator(*overrides: str) -> MCDMPipeline:
    """A pipeline of a preset with a motion transport, untrained."""
    settings = preset(*overrides)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        nets = build_networks(settings)
    return MCDMPipeline(
        nets.codec,
        nets.denoiser,
        nets.mafe,
        nets.reid,
        edm_scheduler(),
        nets.transport,
        frames=settings.frames,
        rate=settings.rate,
        size=settings.size,
        code=settings.code,
        preset=settings.name,
        steps=settings.sampler_steps,
    )
