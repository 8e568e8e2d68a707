"""The one training loop: every stage of the generator and every recipe runs through ``fit``."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils._pytree import tree_map
from tqdm import tqdm

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path

from .logging import CsvLog, time_text, track
from .selection import SMALLEST, check_rule, keep

Batches = Callable[[int], Iterable[Any]]
LossFn = Callable[[nn.Module, Any], dict[str, Tensor]]
Validate = Callable[[nn.Module], dict[str, Any]]
EACH = "_each"  # behind the name of a figure: the errors that it is the mean of
EXPLODED = 100.0  # a mean loss so many times that of the start (or 1, where that is less) is a divergence
TIMED = 10  # steps after which the time left is told


@dataclass
class FitResult:
    """What a training did.

    Attributes:
        steps: optimiser steps taken in all, those before a resume included.
        seconds: time spent in the loop, those before a resume included.
        history: one dict per validation: ``step`` and what ``validate`` returned.
        best_step: step of the selected weights; the last step where nothing selects.
        losses: mean of every loss over the last log interval.
        first: mean of the loss over the first log interval; None before its end.
    """

    steps: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_step: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    first: float | None = None


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
            a resume exact. One batch serves all processes: each takes its share of every tensor's first dimension.
        loss_fn: ``loss_fn(model, batch)`` returns scalar losses; ``"loss"`` is minimised, the others are logged.
        steps: optimiser steps. Gradient accumulation and precision are the accelerator's.
        optimizer: over the parameters of ``model``.
        out: folder of the checkpoint ``<name>.ckpt`` and of the log ``<name>.csv``.
        name: of the training inside ``out``.
        scheduler: stepped once per optimiser step.
        seed: of dropout and of whatever ``loss_fn`` draws.
        accelerator: devices, precision, accumulation; by default a plain one.
        clip_norm: gradient norm bound; 0 turns it off.
        ema_decay: of the exponential moving average of the weights (diffusers' ``EMAModel``), 0 to 1.
        validate: called with the (EMA) model in eval mode every ``validate_every`` steps and at the end.
        validate_every: see ``validate``; by default only at the end.
        select: key of ``validate``'s result, an error by which weights are kept.
        selection: how: see `echo_augment.training_recipes.training.selection.keep`. For ``one_se``, ``validate``
            returns the errors of which ``select`` is the mean, too: a tensor under ``<select>_each``.
        save_every: steps between checkpoints.
        log_every: steps between log lines.
        progress: show a bar with the time left.
        announce: print after a few steps how long the training will take.

    Raises:
        EchoAugmentError: the loss or the gradient is no longer finite, or the loss has grown a hundredfold since the
            start. ``model`` then holds the last good checkpoint, which stays on disk.
    """
    check_rule(selection)
    accelerator = accelerator or Accelerator()
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / f"{name}.ckpt"
    model.to(accelerator.device)
    ema = EMAModel(model.parameters(), decay=ema_decay) if ema_decay else None
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    result = FitResult()
    best: dict[str, Any] = {"errors": None, "weights": None}
    if checkpoint.exists():
        result, best = _load(checkpoint, model, optimizer, scheduler, ema, accelerator)
    log = CsvLog(out / f"{name}.csv", result.steps, enabled=accelerator.is_main_process)
    bar = tqdm(
        total=steps,
        initial=result.steps,
        desc=name,
        unit="step",
        disable=not (progress and accelerator.is_main_process),
        mininterval=1.0,
    )
    stream = iter(batches(result.steps * accelerator.gradient_accumulation_steps))
    devices = [accelerator.device] if accelerator.device.type == "cuda" else []
    with torch.random.fork_rng(devices), bar:
        started = time.perf_counter() - result.seconds
        began, here = result.steps, time.perf_counter()
        window: list[dict[str, float]] = []
        while result.steps < steps:
            step = result.steps
            wrapped.train()
            losses: dict[str, float] = {}
            for part in range(accelerator.gradient_accumulation_steps):
                torch.manual_seed(hash((seed, step, part, accelerator.process_index)) % 2**63)
                batch = send_to_device(_share(next(stream), accelerator), accelerator.device)
                with accelerator.accumulate(wrapped), accelerator.autocast():
                    values = loss_fn(wrapped, batch)
                    accelerator.backward(values["loss"])
                    losses = {key: float(value.detach()) for key, value in values.items()}
                    if accelerator.sync_gradients and clip_norm:
                        losses["grad_norm"] = float(accelerator.clip_grad_norm_(wrapped.parameters(), clip_norm))
                    bad = [key for key, value in losses.items() if not _finite(value)]
                    if bad and not (bad == ["grad_norm"] and accelerator.mixed_precision == "fp16"):
                        what = f"{bad[0]} is not finite"
                        _stop(checkpoint, name, step, what, model, optimizer, scheduler, ema, accelerator)
                    optimizer.step()
                    optimizer.zero_grad()
            if scheduler is not None:
                scheduler.step()
            if ema is not None:
                ema.step(model.parameters())
            result.steps = step + 1
            result.seconds = time.perf_counter() - started
            window.append(losses)
            bar.update()
            if announce and result.steps == began + TIMED and not bar.disable:
                left = (time.perf_counter() - here) / TIMED * (steps - result.steps)
                bar.write(f"{name}: {steps - result.steps} of {steps} steps to go, about {time_text(left)}")
            if result.steps % log_every == 0 or result.steps == steps:
                result.losses = {key: sum(item[key] for item in window) / len(window) for key in window[0]}
                logged = {**result.losses, "lr": optimizer.param_groups[0]["lr"], "s": result.seconds}
                log.write(result.steps, logged)
                track(accelerator, name, result.steps, logged)
                bar.set_postfix({"loss": f"{result.losses['loss']:.4g}"}, refresh=False)
                window = []
                mean = result.losses["loss"]
                result.first = mean if result.first is None else result.first
                if mean > EXPLODED * max(1.0, result.first):
                    what = f"the loss, {result.first:.3g} at the start, has grown to {mean:.3g}"
                    _stop(checkpoint, name, step, what, model, optimizer, scheduler, ema, accelerator)
            due = validate_every is not None and result.steps % validate_every == 0
            if validate is not None and (due or result.steps == steps):
                _validate(validate, select, selection, model, ema, result, best)
            if accelerator.is_main_process and (result.steps % save_every == 0 or result.steps == steps):
                _save(checkpoint, model, optimizer, scheduler, ema, result, best)
    _finish(model, ema, best, result)
    return result


def _finite(value: float) -> bool:
    return value == value and abs(value) != float("inf")


def _share(batch: Any, accelerator: Accelerator) -> Any:
    """This process's share of a batch."""
    if accelerator.num_processes == 1:
        return batch
    rank, world = accelerator.process_index, accelerator.num_processes
    return tree_map(lambda item: item[rank::world] if isinstance(item, Tensor) and item.ndim else item, batch)


def _validate(
    validate: Validate,
    select: str | None,
    selection: str,
    model: nn.Module,
    ema: EMAModel | None,
    result: FitResult,
    best: dict[str, Any],
) -> None:
    """Run ``validate`` on the EMA weights (where there are any), and keep them where the selection says so."""
    model.eval()
    if ema is not None:
        ema.store(model.parameters())
        ema.copy_to(model.parameters())
    with torch.no_grad():
        figures = validate(model)
    each = {key: figures.pop(key) for key in list(figures) if key.endswith(EACH)}
    result.history.append({"step": float(result.steps), **figures})
    if select is not None:
        if selection != SMALLEST and select + EACH not in each:
            raise EchoAugmentError(f"selection={selection} needs the errors behind {select!r}: {select}{EACH}")
        errors = torch.as_tensor(each.get(select + EACH, [figures[select]]), dtype=torch.float64).cpu()
        kept, best["errors"] = keep(selection, errors, best["errors"])
        if kept:
            result.best_step = result.steps
            best["weights"] = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
    if ema is not None:
        ema.restore(model.parameters())


def _finish(model: nn.Module, ema: EMAModel | None, best: dict[str, Any], result: FitResult) -> None:
    """Leave ``model`` in eval mode with the weights that count."""
    if best["weights"] is not None:
        model.load_state_dict(best["weights"])
    else:
        result.best_step = result.steps
        if ema is not None:
            ema.copy_to(model.parameters())
    model.eval()


def _save(
    path: Path,
    model: nn.Module,
    optimizer: Any,
    scheduler: LRScheduler | None,
    ema: EMAModel | None,
    result: FitResult,
    best: dict[str, Any],
) -> None:
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict() if scheduler else None,
        "ema": ema.state_dict() if ema else None,
        "result": vars(result),
        "best": best,
    }
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def _load(
    path: Path,
    model: nn.Module,
    optimizer: Any,
    scheduler: LRScheduler | None,
    ema: EMAModel | None,
    accelerator: Accelerator,
) -> tuple[FitResult, dict[str, Any]]:
    try:
        state = torch.load(path, map_location=accelerator.device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if scheduler is not None:
            scheduler.load_state_dict(state["scheduler"])
        if ema is not None:
            ema.load_state_dict(state["ema"])
        errors = state["best"]["errors"]
        best = {"errors": None if errors is None else errors.cpu(), "weights": state["best"]["weights"]}
        return FitResult(**state["result"]), best
    except (KeyError, RuntimeError, TypeError, EOFError) as error:
        raise EchoAugmentError(
            f"checkpoint {path} does not fit this training ({error})",
            "It was made with other settings: choose another out=, or delete the file to start again",
        ) from error


def _stop(
    checkpoint: Path,
    name: str,
    step: int,
    what: str,
    model: nn.Module,
    optimizer: Any,
    scheduler: LRScheduler | None,
    ema: EMAModel | None,
    accelerator: Accelerator,
) -> None:
    """Go back to the last good checkpoint and say so."""
    kept = "no checkpoint was written yet"
    if checkpoint.exists():
        result, _ = _load(checkpoint, model, optimizer, scheduler, ema, accelerator)
        kept = f"the last good checkpoint, of step {result.steps}, is {checkpoint}"
    raise EchoAugmentError(
        f"training {name!r} diverged: {what} at step {step}; {kept}",
        "Lower the learning rate or turn mixed precision off, then run the command again",
    )
