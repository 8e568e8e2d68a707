"""Optimisers and schedules: echonet's recipe to the letter."""

import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from echo_augment.training_recipes.common.settings import object_from
from echo_augment.training_recipes.training.optimiser import make_optimizer, make_scheduler
from echo_augment.training_recipes.training.settings import TrainerSettings


def test_echonet_s_recipe_is_to_the_letter():
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-ef", ["model=r2plus1d_18", "data.root=x", "out=y"])
    trainer = OmegaConf.to_container(cfg.trainer)
    found = {
        key: trainer[key] for key in ("epochs", "batch_size", "length", "period", "pad", "clip_norm", "test_clips")
    }
    wanted = {"epochs": 45, "batch_size": 20, "length": 32, "period": 2, "pad": 12, "clip_norm": 0.0}
    assert found == {**wanted, "test_clips": None}
    recipe = object_from(trainer, TrainerSettings)
    optimizer = make_optimizer([torch.nn.Parameter(torch.zeros(1))], recipe.optimizer)
    assert type(optimizer) is torch.optim.SGD
    group = optimizer.param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (1e-4, 0.9, 1e-4)
    scheduler, rates = make_scheduler(optimizer, recipe.schedule, steps=90, per_epoch=2), []
    for _ in range(90):
        rates.append(group["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[29] == pytest.approx(1e-4)
    assert rates[30] == pytest.approx(1e-5)
    assert rates[60] == pytest.approx(1e-6)
