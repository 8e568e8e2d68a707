"""The one training loop: every stage of the generator and every recipe runs through `fit`."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from echo_augment.cache.errors import EchoAugmentError

from .ahead import Finish, ready
from .logging import TrainingLog
from .selection import SMALLEST, check_rule
from .state import FitResult, TrainingState, Validate

Batches = Callable[[int], Iterable[Any]]
LossFn = Callable[[nn.Module, Any], dict[str, Tensor]]
EXPLODED = 100.0  # a mean loss so many times that of the start (or 1, if that is less) is a divergence


class Divergence(Exception):
    """The loss is no longer finite, or has exploded."""


class Objective(nn.Module):
    """A network with its loss: what DDP and ``torch.compile`` wrap, since they see to a module's forward alone.

    Args:
        network: that is trained.
        loss_fn: see `fit`.
    """

    def __init__(self, network: nn.Module, loss_fn: LossFn) -> None:
        super().__init__()
        self.network, self.loss_fn = network, loss_fn

    def forward(self, batch: Any) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        return self.loss_fn(self.network, batch)


def fit(
    model: nn.Module,
    batches: Batches,
    loss_fn: LossFn,
    *,
    steps: int,
    optimizer: Optimizer,
    out: Path,
    name: str,
    scheduler: LRScheduler | None = None,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    clip_norm: float = 1.0,
    ema_decay: float | None = None,
    validate: Validate | None = None,
    validate_every: int | None = None,
    select: str | None = None,
    selection: str = SMALLEST,
    finish: Finish | None = None,
    ahead: int = 0,
    compile: bool = False,
    save_every: int = 200,
    log_every: int = 20,
    progress: bool = True,
    announce: bool = False,
) -> FitResult:
    """Train ``model`` for ``steps`` optimiser steps; ``model`` ends with the selected (or EMA, or last) weights.

    The run is a pure function of its arguments: every step draws from its own seed, and the global random state is left
    as it was. A killed run called again with the same arguments goes on from ``<out>/<name>.ckpt`` and ends bit-equal
    (on one device) to an uninterrupted one.

    Args:
        model: trained in place.
        batches: ``batches(step)`` yields the batches from that step on; a pure function of the step, which makes
            a resume exact. Of several processes each yields its own share
            (`echo_augment.training_recipes.common.ranks.Share`), all equally many items.
        loss_fn: ``loss_fn(model, batch)`` returns scalar losses; ``"loss"`` is minimised, the others are logged. It
            runs inside a module's forward, so that the gradients of several processes are averaged whatever of the
            model it calls.
        steps: optimiser steps. Gradient accumulation and precision are the accelerator's.
        optimizer: over the parameters of ``model``.
        out: folder for the checkpoint ``<name>.ckpt`` and the log ``<name>.csv``.
        name: what the training is called in ``out`` and in messages.
        scheduler: stepped once per optimiser step.
        seed: decides dropout and whatever ``loss_fn`` draws.
        accelerator: devices, precision, accumulation; by default a plain one.
        clip_norm: gradient norm bound; 0 turns it off.
        ema_decay: decay of the exponential moving average of the weights (diffusers' ``EMAModel``), 0 to 1; None or 0
            keeps none.
        validate: called with the (EMA) model in eval mode every ``validate_every`` steps and at the end.
        validate_every: see ``validate``; by default only at the end.
        select: key of ``validate``'s result, an error by which weights are kept.
        selection: how: see `echo_augment.training_recipes.training.selection.keep`. For ``one_se``, ``validate``
            also returns the errors of which ``select`` is the mean, a tensor under ``<select>_each``.
        finish: makes of a batch what ``loss_fn`` takes, on the device, without gradient or mixed precision.
        ahead: batches that a thread draws while the device computes; 0 draws each when it is needed. ``batches`` must
            then leave the global random state alone.
        compile: compile network and loss (``torch.compile``), which takes minutes and then saves time on a GPU.
        save_every: steps between checkpoints.
        log_every: steps between log lines. Losses are read then, before a checkpoint and before a validation, so that
            the device need not wait for the host in between.
        progress: show a bar with the time left.
        announce: print after a few steps how long the training will take.

    Raises:
        EchoAugmentError: the loss or the gradient is no longer finite, or the loss has grown a hundredfold since the
            start. ``model`` then holds the last good checkpoint, which stays on disk.

    >>> from tempfile import TemporaryDirectory
    >>> model = nn.Linear(1, 1)
    >>> for weight in model.parameters():
    ...     _ = nn.init.zeros_(weight)
    >>> def batches(step):
    ...     while True:
    ...         x = torch.full((4, 1), float(step % 3))
    ...         step += 1
    ...         yield x, 2 * x
    >>> with TemporaryDirectory() as folder:
    ...     result = fit(
    ...         model,
    ...         batches,
    ...         lambda net, batch: {"loss": (net(batch[0]) - batch[1]).pow(2).mean()},
    ...         steps=60,
    ...         optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
    ...         out=Path(folder),
    ...         name="line",
    ...         accelerator=Accelerator(cpu=True),
    ...         progress=False,
    ...     )
    >>> result.steps, result.losses["loss"] < 0.1
    (60, True)
    """
    check_rule(selection)
    accelerator = accelerator or Accelerator()
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / f"{name}.ckpt"
    model.to(accelerator.device)
    ema = EMAModel(model.parameters(), decay=ema_decay, foreach=True) if ema_decay else None
    objective = Objective(model, loss_fn)
    if compile:
        objective.compile()
    wrapped, optimizer = accelerator.prepare(objective, optimizer)
    state = TrainingState(model=model, optimizer=optimizer, scheduler=scheduler, ema=ema, scaler=accelerator.scaler)
    if checkpoint.exists():
        state.load(checkpoint)
    result = state.result
    drawn = iter(batches(result.steps * accelerator.gradient_accumulation_steps))
    log = TrainingLog(
        out / f"{name}.csv",
        accelerator,
        steps=steps,
        done=result.steps,
        every=log_every,
        progress=progress,
        announce=announce,
    )
    devices = [accelerator.device] if accelerator.device.type == "cuda" else []
    with torch.random.fork_rng(devices), log, ready(drawn, accelerator.device, finish, ahead) as stream:
        started = time.perf_counter() - result.seconds
        while result.steps < steps:
            log.add(result.steps + 1, _step(wrapped, state, stream, accelerator, seed=seed, clip_norm=clip_norm))
            last = result.steps == steps
            judge = last or result.steps % (validate_every or steps) == 0
            save = last or result.steps % save_every == 0
            if judge or save or log.due(result.steps):
                try:
                    _check_finite(log.read(), str(accelerator.mixed_precision))
                    result.seconds = time.perf_counter() - started
                    if log.due(result.steps):
                        result.losses = log.write(
                            result.steps, lr=optimizer.param_groups[0]["lr"], seconds=result.seconds
                        )
                        _check_growth(result)
                except Divergence as divergence:
                    raise _gone_back(state, checkpoint, name, divergence) from None
            if judge and validate is not None:
                state.validate(validate, select, selection)
            if save and accelerator.is_main_process:
                state.save(checkpoint)
    accelerator.free_memory()  # else network, gradients and optimiser stay for as long as the accelerator does
    state.restore_best()
    return result


def _step(
    wrapped: nn.Module,
    state: TrainingState,
    stream: Iterator[Any],
    accelerator: Accelerator,
    *,
    seed: int,
    clip_norm: float,
) -> dict[str, Tensor]:
    """Take one optimiser step, on as many batches as the accelerator accumulates; return the last one's losses.

    They stay on their device: to read them would be to wait for it.
    """
    wrapped.train()
    step, losses = state.result.steps, dict[str, Tensor]()
    for part in range(accelerator.gradient_accumulation_steps):
        torch.manual_seed(hash((seed, step, part, accelerator.process_index)) % 2**63)
        batch = next(stream)
        with accelerator.accumulate(wrapped):
            values = wrapped(batch)
            accelerator.backward(values["loss"])
            losses = {key: value.detach() for key, value in values.items()}
            if accelerator.sync_gradients and clip_norm:
                losses["grad_norm"] = accelerator.clip_grad_norm_(wrapped.parameters(), clip_norm)
            state.optimizer.step()
            state.optimizer.zero_grad()
    if state.scheduler is not None:
        state.scheduler.step()
    if state.ema is not None:
        state.ema.step(state.model.parameters())
    state.result.steps = step + 1
    return losses


def _check_finite(losses: Mapping[int, Mapping[str, float]], precision: str) -> None:
    """Raise `Divergence` if a loss or the gradient of one of some steps is not finite."""
    for step, values in losses.items():
        bad = [key for key, value in values.items() if not math.isfinite(value)]
        # In fp16 the scaler meets an infinite gradient by a smaller scale: no divergence.
        if bad and not (bad == ["grad_norm"] and precision == "fp16"):
            raise Divergence(f"{bad[0]} is not finite at step {step - 1}")


def _check_growth(result: FitResult) -> None:
    """Raise `Divergence` if the mean loss has grown a hundredfold since the first log interval."""
    mean = result.losses["loss"]
    result.first = mean if result.first is None else result.first
    if mean > EXPLODED * max(1.0, result.first):
        step = result.steps - 1
        raise Divergence(f"the loss, {result.first:.3g} at the start, has grown to {mean:.3g} at step {step}")


def _gone_back(state: TrainingState, checkpoint: Path, name: str, divergence: Divergence) -> EchoAugmentError:
    """Go back to the last good checkpoint, and return the error that says so."""
    kept = "no checkpoint was written yet"
    if checkpoint.exists():
        state.load(checkpoint)
        kept = f"the last good checkpoint, of step {state.result.steps}, is {checkpoint}"
    return EchoAugmentError(
        f"training {name!r} diverged: {divergence}; {kept}",
        "Lower the learning rate or turn mixed precision off, then run the command again",
    )
