"""Optimisers and learning-rate schedules by name."""

import math
from collections.abc import Iterable
from typing import Any

from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, StepLR

from .settings import OptimizerSettings, ScheduleSettings


def make_optimizer(parameters: Iterable[Parameter], settings: OptimizerSettings, *, fused: bool = False) -> Optimizer:
    """Return the optimiser that the settings name, over ``parameters``; ``fused``: one kernel a step, on a GPU."""
    given = {"lr": settings.lr, "momentum": settings.momentum, "weight_decay": settings.weight_decay}
    arguments: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    arguments["fused"] = fused or None
    return SGD(parameters, **arguments) if settings.name == "sgd" else AdamW(parameters, **arguments)


def make_scheduler(optimizer: Optimizer, settings: ScheduleSettings, steps: int, per_epoch: int) -> LRScheduler:
    """Return a schedule that is stepped once per optimiser step.

    Args:
        optimizer: its learning rate follows the schedule.
        settings: kind and numbers of the schedule.
        steps: optimiser steps of the whole training.
        per_epoch: optimiser steps of an epoch.
    """
    if settings.name == "step":
        return StepLR(optimizer, int(settings.every_epochs or 1) * per_epoch, float(settings.factor or 0))
    warmup = int(settings.warmup or 0)

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / max(1, warmup)) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))

    return LambdaLR(optimizer, factor)


def warmup_constant(optimizer: AdamW, *, warmup: int) -> LambdaLR:
    """Linear warm-up, then the learning rate as it is."""
    return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / max(1, warmup)))


def warmup_cosine(optimizer: AdamW, steps: int, *, warmup: int, floor: float = 0.1) -> LambdaLR:
    """Linear warm-up, then half a cosine down to ``floor`` of the learning rate."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        share = min(1.0, (step - warmup) / max(1, steps - warmup))
        return floor + (1 - floor) * (1 + math.cos(math.pi * share)) / 2

    return LambdaLR(optimizer, factor)
