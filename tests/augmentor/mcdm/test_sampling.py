"""Steps of the samplers: an exact denoiser of whole latents is followed to its end, relative or absolute."""

import pytest
import torch

from echo_augment.augmentor.mcdm.residual import ResidualDenoiser
from echo_augment.augmentor.mcdm.sampling import LATENT_SAMPLERS, Guide, denoise, spread_of
from echo_augment.training_recipes.generator.diffusion import noise_scheduler

CLEAN = torch.linspace(-1, 1, 2 * 5 * 4 * 3 * 3).reshape(2, 5, 4, 3, 3)


class Knows:
    """The exact v of a world with one clip a window."""

    def __init__(self, absolute):
        self.config = {"motion_scale": 0.5, "absolute": absolute}

    def __call__(self, noisy, timestep, reference, motion, drop=None):
        kept = noise_scheduler().alphas_cumprod[timestep.long()][:, None, None, None, None]
        return (kept.sqrt() * noisy - CLEAN) / (1 - kept).sqrt()


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("sampler", LATENT_SAMPLERS)
def test_whole_latents_end_where_the_denoiser_sees_them(sampler, absolute):
    guide = Guide(torch.zeros(2, 4, 3, 3), torch.zeros(2, 5, 6), None, window=5)
    noise = torch.randn(CLEAN.shape, generator=torch.Generator().manual_seed(0))
    extra = {"generator": torch.Generator().manual_seed(1)} if sampler == "ddpm" else {}
    found = denoise(Knows(absolute), noise_scheduler(), noise, guide, sampler, 20, **extra)
    torch.testing.assert_close(found, CLEAN if absolute else 0.5 * CLEAN, atol=0.08, rtol=0.05)


def test_the_spread_is_a_number_a_channel():
    spread = spread_of(ResidualDenoiser((16, 16), 1, 2, 6, spread=(1.0, 2.0, 3.0, 4.0)))
    assert spread.shape == (4, 1, 1) and spread.flatten().tolist() == [1, 2, 3, 4]
