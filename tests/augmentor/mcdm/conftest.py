"""Two hearts and an untrained generator of the tiny kind, small enough for a unit test."""

import pytest
import torch

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.mcdm.codec import build_codec
from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.phase import make_heart
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.reid import ReIDEncoder
from echo_augment.training_recipes.generator.denoiser import noise_scheduler


@pytest.fixture(scope="session")
def hearts():
    made = []
    for seed in (11, 12, 13):
        phantom = sample_phantom(seed, format=2)
        clip = render(phantom.motion, phantom.appearance, seed=seed)
        made.append(make_heart(phantom.name, clip.frames, clip.fps, rate=12.5, size=112))
    return made


@pytest.fixture(scope="session")
def untrained():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        denoiser = MotionDenoiser(
            (32, 32), (False, True), (2, 2), 1, motion="frame", code_size=50, cross_attention_dim=32
        )
        pipeline = MCDMPipeline(
            build_codec((8, 8, 16, 16), groups=4),
            denoiser,
            MAFE(4, (1, 1, 1, 1, 1), (1, 2)),
            ReIDEncoder(8, 16),
            noise_scheduler(),
            code_mean=(0.0,) * 50,
            code_std=(1.0,) * 50,
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
