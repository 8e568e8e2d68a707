"""How a batch teaches the net: plainly by its labels, or also by agreement with a slowly following copy."""

import copy
import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.nn import functional

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue


class Learner(Protocol):
    """An ``nn.Module`` that is trained, and the net in it that is selected, tested and saved.

    Attributes:
        net: the EF model.
    """

    net: nn.Module

    def loss(self, predicted: Tensor, ef: Tensor) -> dict[str, Tensor]:
        """Return ``"loss"`` and whatever else is to be logged, from the module's output and the labels of a batch."""


class Supervised:
    """Mean squared error of labelled clips; the net itself is what is trained."""

    def __init__(self, net: nn.Module) -> None:
        self.net = self.module = net

    def loss(self, predicted: Tensor, ef: Tensor) -> dict[str, Tensor]:
        """Return the loss in squared EF points of ``(B,)`` predictions and ``(B,)`` labels in percent."""
        return {"loss": functional.mse_loss(predicted, ef)}


class MeanTeacher(nn.Module):
    """A student that learns from labels and from agreement with its own running mean, the teacher.

    Tarvainen and Valpola, "Mean teachers are better role models" (NeurIPS 2017), for a regression: the consistency
    cost is the mean squared difference of the two predictions, on labelled and unlabelled clips alike. The teacher sees
    another view of the clip (shifted, another gain) with its own dropout. The teacher is what is selected on VAL and
    tested. Its state is part of ``state_dict``, so a killed training goes on exactly. No step waits for a GPU.

    Args:
        net: the EF model to train; the teacher starts as its copy.
        steps: optimiser steps of the training.
        decay: decay of the running mean, in [0, 1); at first smaller, so that the mean forgets the start weights.
        weight: weight of the consistency cost against the squared error of the labelled clips.
        ramp: share of the training over which the weight rises from 0, as ``exp(-5 (1 - x)^2)``.
        shift: pixels by which the teacher's view is moved at most, to each side.
        gain: relative change of the teacher's view at most.

    Raises:
        EchoAugmentError: ``decay`` out of its range.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        steps: int,
        decay: float = 0.99,
        weight: float = 1.0,
        ramp: float = 0.3,
        shift: int = 6,
        gain: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise EchoAugmentError(f"decay must be in [0, 1), got {decay}")
        self.student, self.net = net, copy.deepcopy(net).requires_grad_(False)
        self.decay, self.weight, self.ramp, self.shift, self.gain = decay, weight, max(1.0, ramp * steps), shift, gain
        self.step = 0  # steps taken, which a resumed training knows from the state

    def get_extra_state(self) -> Tensor:
        """Return what of the state is no weight, for ``state_dict``."""
        return torch.tensor(self.step)

    def set_extra_state(self, state: Tensor) -> None:
        """Take it from a state."""
        self.step = int(state)

    @property
    def module(self) -> nn.Module:
        """The module that is trained: this one."""
        return self

    def forward(self, clips: Tensor) -> Tensor:
        """Return the EF in percent of ``(B, C, T, H, W)`` clips: the teacher's ``(B,)``; in training ``(2, B)``."""
        if not self.training:
            return self.net(clips)
        with torch.no_grad():
            self._follow()
            wanted = self.net(self._view(clips))
        return torch.stack([self.student(clips), wanted])

    def loss(self, predicted: Tensor, ef: Tensor) -> dict[str, Tensor]:
        """Return the losses of ``(2, B)`` predictions and ``(B,)`` labels in percent, NaN for unlabelled clips."""
        student, teacher = predicted
        known = ~ef.isnan()
        supervised = torch.where(known, student - ef, 0.0).square().sum() / known.sum().clamp(min=1)
        consistency = functional.mse_loss(student, teacher.detach())
        risen = math.exp(-5 * (1 - min(1.0, self.step / self.ramp)) ** 2)
        loss = supervised + self.weight * risen * consistency
        return {"loss": loss, "supervised": supervised, "consistency": consistency}

    def _follow(self) -> None:
        """Move the teacher's weights towards the student's; its own forward passes keep its running statistics."""
        self.step += 1
        decay = min(self.decay, 1 - 1 / self.step)
        for own, other in zip(self.net.parameters(), self.student.parameters(), strict=True):
            own.lerp_(other.detach(), 1 - decay)

    def _view(self, clips: Tensor) -> Tensor:
        """Return the clips moved by whole pixels, edges repeated, and a little brighter or darker."""
        pad, (height, width) = self.shift, clips.shape[-2:]
        top, left = (int(torch.randint(0, 2 * pad + 1, ())) for _ in range(2))
        wide = functional.pad(clips, (pad, pad, pad, pad, 0, 0), mode="replicate")
        gain = 1 + self.gain * (2 * torch.rand(len(clips), 1, 1, 1, 1, device=clips.device) - 1)
        return wide[..., top : top + height, left : left + width] * gain


def make_learner(spec: Mapping[str, JsonValue], net: nn.Module, steps: int) -> Any:
    """Return the `Learner` that an arm asks for (``learner: {_target_: .., ..}``), or the plain one.

    Args:
        spec: settings of the arm.
        net: the EF model.
        steps: optimiser steps of the training.
    """
    settings = spec.get("learner")
    return instantiate(settings, _partial_=True)(net, steps=steps) if settings else Supervised(net)
