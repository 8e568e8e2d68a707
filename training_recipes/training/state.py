"""The state of a training: network, optimiser, moving average, how far it is and which weights are kept."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import cast

import torch
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path

from .selection import SMALLEST, keep

Validate = Callable[[nn.Module], Mapping[str, float | Tensor]]
EACH = "_each"  # behind the name of a figure: the errors that it is the mean of


@dataclass
class FitResult:
    """What a training did.

    Attributes:
        steps: optimiser steps taken in all, those before a resume included.
        seconds: time spent in the loop, those before a resume included.
        history: one dict per validation: ``step`` and what ``validate`` returned.
        best_step: step of the selected weights; the last step if nothing selects.
        losses: mean of each loss over the last log interval.
        first: mean of the loss over the first log interval; None before its end.
    """

    steps: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_step: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    first: float | None = None


@dataclass(slots=True)
class Best:
    """The weights that a selection keeps.

    Attributes:
        errors: of the weights with the smallest mean error so far, one a video, ``(N,)``; None before the first.
        weights: the model's, as selected; None before the first.
    """

    errors: Tensor | None = None
    weights: dict[str, Tensor] | None = None


@dataclass(kw_only=True)
class TrainingState:
    """All that changes while a network is trained, and what of it a checkpoint holds.

    Attributes:
        model: on its device, not wrapped for several processes.
        optimizer: over its parameters.
        scheduler: of the learning rate.
        ema: moving average of the weights.
        scaler: of the loss in fp16; None in other precisions.
        result: how far the training is.
        best: the selected weights.
    """

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None = None
    ema: EMAModel | None = None
    scaler: GradScaler | None = None
    result: FitResult = field(default_factory=FitResult)
    best: Best = field(default_factory=Best)

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict() if self.scheduler else None,
            "ema": self.ema.state_dict() if self.ema else None,
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "result": vars(self.result),
            "best": {"errors": self.best.errors, "weights": self.best.weights},
        }
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        It is read into memory, and each part goes where it belongs: AdamW's count of steps stays there, since a step
        whose counts lie on a GPU waits for every one of them.

        Raises:
            EchoAugmentError: it is of another training, or damaged.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.scheduler is not None:
                self.scheduler.load_state_dict(state["scheduler"])
            if self.ema is not None:
                self.ema.load_state_dict(state["ema"])
                self.ema.to(next(self.model.parameters()).device)
            if self.scaler is not None and state.get("scaler"):
                self.scaler.load_state_dict(state["scaler"])
            self.best = Best(**state["best"])
            self.result = FitResult(**state["result"])
        except (KeyError, RuntimeError, TypeError, EOFError, UnpicklingError) as error:
            # torch's own words advise to load what is damaged as a pickle
            what = "torch.save did not write it" if isinstance(error, UnpicklingError) else error
            raise EchoAugmentError(
                f"checkpoint {path} does not fit this training ({what})",
                "It was made with other settings: choose another out=, or delete the file to start again",
            ) from error

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Lend the model in eval mode and with the moving average of its weights, if there is one."""
        self.model.eval()
        if self.ema is not None:
            self.ema.store(self.model.parameters())
            self.ema.copy_to(self.model.parameters())
        try:
            with torch.no_grad():
                yield self.model
        finally:
            if self.ema is not None:
                self.ema.restore(self.model.parameters())

    def validate(self, validate: Validate, select: str | None, selection: str) -> None:
        """Note what ``validate`` finds, and keep the weights if the selection says so; arguments as of `fit`."""
        with self.averaged() as model:
            found = validate(model)
            figures = {key: cast(float, value) for key, value in found.items() if not key.endswith(EACH)}
            self.result.history.append({"step": float(self.result.steps), **figures})
            if select is None:
                return
            if selection != SMALLEST and select + EACH not in found:
                raise EchoAugmentError(f"selection={selection} needs the errors behind {select!r}: {select}{EACH}")
            each = found.get(select + EACH, [figures[select]])
            kept, self.best.errors = keep(selection, torch.as_tensor(each, dtype=torch.float64).cpu(), self.best.errors)
            if kept:
                self.result.best_step = self.result.steps
                self.best.weights = {key: value.detach().cpu().clone() for key, value in model.state_dict().items()}

    def restore_best(self) -> None:
        """Leave the model in eval mode with the weights that count: the selected, or the averaged, or the last."""
        if self.best.weights is not None:
            self.model.load_state_dict(self.best.weights)
        else:
            self.result.best_step = self.result.steps
            if self.ema is not None:
                self.ema.copy_to(self.model.parameters())
        self.model.eval()
