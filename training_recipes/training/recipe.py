"""What the trainings of all tasks do alike: choose videos, fit by the recipe, report, and do it once only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import Subset

from echo_augment.augmentor.data import VideoInfo
from echo_augment.cache.system.files import write_json

from ..arms.specification import TrainingSet, labels_of, source_of
from ..common.ranks import ALONE, Share
from ..common.reporting import plain
from .batches import DecodedEcho, train_batches
from .fit import LossFn, fit
from .optimiser import make_optimizer, make_scheduler
from .run import RESULT, SETTINGS, TrainingResult, TrainingRun, finished
from .settings import TrainerSettings
from .setup import arithmetic, cpu_threads, make_accelerator, share_of
from .state import FitResult, Validate
from .subsets import choose_labelled, choose_validation, count_labels
from .videos import VIDEOS, note_videos

Result = TypeVar("Result", bound=TrainingResult[Any])


@dataclass(frozen=True, slots=True)
class Chosen:
    """The videos that one training may use.

    Attributes:
        places: place of every TRAIN video in its data set, by name.
        labelled: names of those whose labels it may know.
        unlabelled: names of those that it may use without their labels.
        judged: places of the VAL videos that the weights are selected by.
    """

    places: Mapping[str, int]
    labelled: list[str]
    unlabelled: list[str]
    judged: list[int]

    def of(self, train: DecodedEcho, names: Sequence[str]) -> Subset[Any]:
        """Return some TRAIN videos as a data set, in the order of ``names``."""
        return Subset(train, [self.places[name] for name in names])


def choose_videos(run: TrainingRun, train: Sequence[VideoInfo], val: Sequence[VideoInfo]) -> Chosen:
    """Draw the videos of a run from those that can be used.

    VAL videos are chosen in proportion to the *run's* labels, also for an arm that knows more (``full``).

    Args:
        run: says how many, and has the seed.
        train: usable TRAIN videos.
        val: usable VAL videos.
    """
    names = [row.name for row in train]
    order = choose_labelled(names, len(names), run.seed)
    known = count_labels(labels_of(run.spec) or run.labels, len(names))
    share = count_labels(run.labels, len(names)) / len(names)
    judges = set(choose_validation([row.name for row in val], share, run.val_at_least, run.seed))
    return Chosen(
        places={name: place for place, name in enumerate(names)},
        labelled=order[:known],
        unlabelled=order[known:][: run.unlabelled],
        judged=[place for place, row in enumerate(val) if row.name in judges],
    )


def training_set(run: TrainingRun, chosen: Chosen, train: DecodedEcho, **more: Any) -> TrainingSet:
    """Return what the arm of a run may use.

    Args:
        run: with the caches and the seed.
        chosen: videos of the run.
        train: all usable TRAIN videos.
        more: ``unlabelled``, ``teach`` and ``reader``, if the task has a use for them.
    """
    return TrainingSet(
        real=chosen.of(train, chosen.labelled),
        labelled=tuple(chosen.labelled),
        caches={kind: Path(folder) for kind, folder in run.caches.items()},
        seed=run.seed,
        all_known=len(chosen.labelled) == len(chosen.places),
        **more,
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """Optimiser steps of a training, and of one epoch, with batches of ``batch_size`` items."""

    batch_size: int
    per_epoch: int
    steps: int

    @classmethod
    def of(cls, recipe: TrainerSettings, items: int, share: Share = ALONE) -> "Pace":
        """Return the pace of a recipe on a training set of ``items``: so many ``steps``, or so many ``epochs``.

        Raises:
            EchoAugmentError: the processes that train together cannot share a batch equally.
        """
        share.check("trainer.batch_size", recipe.batch_size)
        batch_size = share.most(min(recipe.batch_size, items), "items of the training set")
        per_epoch = items // batch_size
        return cls(batch_size, per_epoch, recipe.steps or int(recipe.epochs or 0) * per_epoch)


def fit_by_recipe(
    run: TrainingRun,
    module: nn.Module,
    dataset: Any,
    loss_fn: LossFn,
    *,
    pace: Pace,
    validate: Validate,
    select: str,
    out: Path,
    accelerator: Accelerator,
    progress: bool,
) -> FitResult:
    """Train by the recipe of a run; see `echo_augment.training_recipes.training.fit.fit`.

    Args:
        run: with recipe and seed.
        module: to train.
        dataset: to train on.
        loss_fn: see `fit`.
        pace: pace of this recipe on this data set.
        validate: finds figures on VAL.
        select: figure that weights are selected by, the lower the better; the recipe says how (``selection``).
        out: folder of checkpoint and log.
        accelerator: has the device.
        progress: show a bar.
    """
    recipe = run.trainer
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    on_gpu = accelerator.device.type == "cuda"
    optimizer = make_optimizer(trained, recipe.optimizer, fused=on_gpu)
    return fit(
        module,
        train_batches(dataset, pace.batch_size, run.seed, recipe.workers, share_of(accelerator), pin=on_gpu),
        loss_fn,
        steps=pace.steps,
        optimizer=optimizer,
        scheduler=make_scheduler(optimizer, recipe.schedule, pace.steps, pace.per_epoch),
        out=out,
        name="fit",
        seed=run.seed,
        accelerator=accelerator,
        clip_norm=float(recipe.clip_norm),
        validate=validate,
        validate_every=recipe.validate_every or pace.per_epoch,
        select=select,
        selection=recipe.selection,
        save_every=max(20, min(100, pace.steps // 4)),
        progress=progress,
    )


def training_figures(
    run: TrainingRun,
    chosen: Chosen,
    dataset: Any,
    fitted: FitResult,
    model: nn.Module,
    *,
    pace: Pace,
    read: Sequence[DecodedEcho],
    device: torch.device,
) -> dict[str, Any]:
    """Return what ``result.json`` says of every training, whatever its task.

    Args:
        run: what was trained.
        chosen: videos that it used.
        dataset: data set that it learned from.
        fitted: how it went.
        model: the net; its ``note``, if it has one, is passed on.
        pace: pace of the training.
        read: TRAIN, VAL and TEST, for the videos that could not be used.
        device: that computed.
    """
    source = source_of(dataset)
    return {
        "key": run.key(),
        "arm": run.arm,
        "seed": run.seed,
        "labelled": chosen.labelled,
        "labelled_hearts": len(chosen.labelled),
        "train_hearts": len(chosen.places),
        "validation_hearts": len(chosen.judged),
        "steps": pace.steps,
        "batch_size": pace.batch_size,
        "best_step": fitted.best_step,
        "seconds": fitted.seconds,
        "history": fitted.history,
        "clips": len(source or ()),
        "fingerprint": str(getattr(source, "fingerprint", "")),
        "notes": [note] if (note := getattr(model, "note", "")) else [],
        "skipped": [list(item) for part in read for item in part.skipped],
        "arithmetic": arithmetic(run.trainer.precision, device),
    }


def train_once(
    run: TrainingRun,
    out: str | Path,
    train: Callable[[Path, Accelerator], Result],
    kind: type[Result],
    *,
    together: bool = False,
) -> Result:
    """Return the result of a run: read from ``out`` if it is finished there, else found by ``train``.

    Args:
        run: what to train.
        out: folder of ``settings.json``, ``result.json`` and, until it is finished, the checkpoint ``fit.ckpt``.
        train: trains in that folder, from the checkpoint on if there is one.
        kind: class of the result.
        together: whether the processes of an ``accelerate launch`` train together; the first one writes.

    Raises:
        EchoAugmentError: ``out`` holds another run, or the run's device is not there.
    """
    out, accelerator = Path(out), make_accelerator(run.device, together=together)
    writes = accelerator.is_main_process
    done = finished(run, out)
    if isinstance(done, kind):
        return done
    if writes:
        if not (out / VIDEOS).exists():
            note_videos(out, run.videos())
        write_json(out / SETTINGS, {"key": run.key(), **plain(run.to_json())})
    with cpu_threads(run.trainer.threads):
        found = train(out, accelerator).to_json()
    if writes:
        write_json(out / RESULT, found)
        (out / "fit.ckpt").unlink(missing_ok=True)
    return kind.from_json(found)  # just as a later call reads it
