"""Both diffusions: shares of noise, the network's own error, and paths that end where a knowing network says."""

import pytest
import torch

from echo_augment.augmentor.mcdm.residual import SIGMA_MAX, ResidualDenoiser
from echo_augment.augmentor.mcdm.transport import MotionTransport
from echo_augment.training_recipes.generator.denoiser import denoising_loss
from echo_augment.training_recipes.generator.diffusion import Given, LatentDiffusion, ResidualDiffusion, path_end

CPU = torch.device("cpu")


@pytest.fixture
def residual():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return ResidualDiffusion(MotionTransport(6, 16).eval(), 0.5, (0.1, 0.2, 0.3, 0.4))


def windows(count=3):
    generator = torch.Generator().manual_seed(1)
    return {
        "latents": torch.randn(count, 5, 4, 14, 14, generator=generator),
        "reference": torch.randn(count, 4, 14, 14, generator=generator),
        "motion": torch.randn(count, 5, 6, generator=generator),
        "there": torch.ones(count, 5, dtype=torch.bool),
    }


def test_noise_levels_are_log_normal_one_a_stratum(residual):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        logs = residual.levels(4000, CPU).log()
    assert logs.mean() == pytest.approx(-0.4, abs=0.02) and logs.std() == pytest.approx(1.2, abs=0.03)
    assert (logs.diff() > -0.5).all() and logs.is_floating_point()


@pytest.mark.parametrize("steps", [1, 4])
def test_paths_begin_with_noise_and_a_knowing_network_ends_them_at_once(residual, steps):
    given = residual.given(windows())
    assert residual.path(steps, CPU)[0] == pytest.approx(SIGMA_MAX)
    assert LatentDiffusion().path(4, CPU).tolist() == [999, 749, 499, 249]

    def knows(noisy, level, *_):
        sigma = (4 * level).exp()[:, None, None, None, None]
        x = noisy * (sigma**2 + 1).sqrt()
        return (given.clean - x / (sigma**2 + 1)) * (sigma**2 + 1).sqrt() / sigma

    ends = path_end(residual, knows, torch.randn(given.clean.shape), given, steps)
    torch.testing.assert_close(ends, given.clean, atol=1e-3, rtol=1e-3)


def test_a_network_that_says_nothing_has_an_error_of_one_at_every_level(residual):
    """In units of its spread the residual has mean square 1: EDM's targets then have it at all noise levels."""
    clean, still = torch.randn(64, 5, 4, 8, 8), torch.zeros(64, 5, 4, 8, 8)
    given = Given(clean, still[:, 0], torch.zeros(64, 5, 6), still)
    for sigma in (0.05, 0.5, 1.0, 5.0):
        levels = torch.full((64,), sigma)
        noisy = given.clean + sigma * torch.randn(given.clean.shape)
        ends, error = residual.ends(lambda x, *_: torch.zeros_like(x), noisy, levels, given)
        assert error.mean() == pytest.approx(1, abs=0.03)
        torch.testing.assert_close(ends, noisy / (sigma**2 + 1))


def test_a_few_steps_of_training_find_some_of_the_residual(residual):
    """The residual is a function of the motion: soon less of it is left than the trivial denoiser leaves."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net, loss = ResidualDenoiser((16, 16), 1, 2, 6), denoising_loss(residual)
        optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
        losses = []
        for _ in range(60):
            batch = windows(4)
            with torch.no_grad():
                expected = residual.transport.predict(batch["reference"], batch["motion"])
            unit = torch.tensor([0.1, 0.2, 0.3, 0.4])[:, None, None]
            batch["latents"] = (expected + unit * batch["motion"][:, :, :4, None, None]) / 0.5
            found = loss(net, batch)
            optimizer.zero_grad()
            found["loss"].backward()
            optimizer.step()
            losses.append(float(found["loss"].detach()))
    assert sum(losses[:5]) / 5 > 0.7 and sum(losses[-5:]) / 5 < 0.6 * sum(losses[:5]) / 5
