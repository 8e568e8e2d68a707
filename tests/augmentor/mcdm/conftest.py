"""Two hearts and an untrained generator of the tiny kind, small enough for a unit test."""

import pytest
import torch

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.mcdm.codec import build_codec
from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import feature_channels
from echo_augment.augmentor.mcdm.phase import make_heart
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.reid import ReIDEncoder
from echo_augment.augmentor.mcdm.residual import ResidualDenoiser, edm_scheduler
from echo_augment.augmentor.mcdm.transport import MotionTransport
from echo_augment.training_recipes.generator.diffusion import noise_scheduler


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


def stirred(network, seed):
    """Untrained weights, those that start at zero included."""
    with torch.random.fork_rng([]), torch.no_grad():
        torch.manual_seed(seed)
        for weight in network.parameters():
            if not weight.any():
                weight.normal_(std=0.05)
    return network.eval()


@pytest.fixture(scope="session")
def residual_denoiser():
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        made = ResidualDenoiser((16, 16), 1, 2, 6, spread=(0.1, 0.2, 0.3, 0.4))
    return stirred(made, 2)


@pytest.fixture(scope="session")
def displacing(untrained, residual_denoiser):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        features = feature_channels(untrained.mafe)
        transport = MotionTransport(6, 16, scale=0.5, features=features)
    parts = {name: getattr(untrained, name) for name in ("vae", "mafe", "reid")}
    made = MCDMPipeline(
        denoiser=residual_denoiser,
        transport=stirred(transport, 3),
        code="transport",
        scheduler=edm_scheduler(),
        **parts,
    )
    made.set_progress_bar_config(disable=True)
    return made
