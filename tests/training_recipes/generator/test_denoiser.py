"""The denoiser's training: checkpointing saves memory and changes nothing."""

import pytest
import torch

from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.training_recipes.generator.denoiser import denoising_loss
from echo_augment.training_recipes.generator.diffusion import LatentDiffusion


@pytest.mark.parametrize("motion", ["frame", "vector"])
def test_checkpointing_changes_no_gradient(motion):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        denoiser = MotionDenoiser(
            (32, 32), (False, True), (2, 2), 1, motion=motion, code_size=10, cross_attention_dim=10
        ).train()
        batch = {
            "latents": torch.randn(2, 4, 4, 8, 8),
            "reference": torch.randn(2, 4, 8, 8),
            "motion": torch.randn(2, 4 if motion == "frame" else 1, 10),
            "there": torch.ones(2, 4, dtype=torch.bool),
        }
        gradients = []
        for again in (False, True):
            if again:
                denoiser.enable_gradient_checkpointing()
            torch.manual_seed(1)
            denoiser.zero_grad()
            denoising_loss(LatentDiffusion(), 0.1, 0.1)(denoiser, batch)["loss"].backward()
            gradients.append({k: p.grad.clone() for k, p in denoiser.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 20
    for key, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], value, atol=1e-5, rtol=1e-4)
