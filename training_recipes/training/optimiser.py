"""Optimisers and learning-rate schedules by name."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, StepLR

from echo_augment.cache.errors import EchoAugmentError


def make_optimizer(parameters: Iterable[Parameter], settings: Mapping[str, Any]) -> Optimizer:
    """The optimiser ``settings["name"]`` (adamw or sgd) with the other settings as its arguments.

    Raises:
        EchoAugmentError: there is no such optimiser.
    """
    kinds = {"adamw": AdamW, "sgd": SGD}
    arguments = {key: value for key, value in settings.items() if key != "name"}
    if settings["name"] not in kinds:
        raise EchoAugmentError(f"optimizer.name must be one of {', '.join(kinds)}, got {settings['name']!r}")
    return kinds[settings["name"]](parameters, **arguments)


def make_scheduler(optimizer: Optimizer, settings: Mapping[str, Any], steps: int, per_epoch: int) -> LRScheduler:
    """A schedule that is stepped once per optimiser step.

    Args:
        optimizer: whose learning rate it sets.
        settings: ``name: cosine`` with ``warmup`` steps, down to zero; or ``name: step``, which multiplies by
            ``factor`` after each ``every_epochs`` epochs.
        steps: of the whole training.
        per_epoch: steps of an epoch.

    Raises:
        EchoAugmentError: there is no such schedule.
    """
    if settings["name"] == "step":
        return StepLR(optimizer, int(settings["every_epochs"]) * per_epoch, float(settings["factor"]))
    if settings["name"] != "cosine":
        raise EchoAugmentError(f"schedule.name must be cosine or step, got {settings['name']!r}")
    warmup = int(settings["warmup"])

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / max(1, warmup)) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))

    return LambdaLR(optimizer, factor)


def warmup_cosine(optimizer: AdamW, steps: int, *, warmup: int, floor: float = 0.1) -> LambdaLR:
    """Linear warm-up, then half a cosine down to ``floor`` of the learning rate."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        share = min(1.0, (step - warmup) / max(1, steps - warmup))
        return floor + (1 - floor) * (1 + math.cos(math.pi * share)) / 2

    return LambdaLR(optimizer, factor)
