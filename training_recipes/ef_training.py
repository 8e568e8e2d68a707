"""One training of an EF regressor: labelled hearts, an arm, a model, selection on VAL, TEST once."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_model
from torch import Tensor, nn
from torch.utils.data import Subset

from echo_augment.cache.files import write_json

from .arms import TrainingSet, make_arm, no_teacher, source_of
from .decoded import DecodedEcho
from .ef_learners import make_learner
from .ef_models import make_model
from .ef_parts import (
    Array,
    channel_scale,
    cpu_threads,
    make_accelerator,
    predict,
    r2,
    train_batches,
    true_ef,
    use_bf16,
    video_facts,
)
from .ef_run import RESULT, SETTINGS, EfRun, finished
from .ef_teacher import load_net
from .fit import fit
from .optimisers import make_optimizer, make_scheduler
from .reporting import plain
from .subsets import choose_labelled, choose_validation, count_labels


def train_ef(run: EfRun, out: str | Path, *, progress: bool = True) -> dict[str, Any]:
    """Train, select on VAL, test once. Finished runs are read, killed ones go on from their last checkpoint.

    Args:
        run: what to train.
        out: folder of the checkpoint, the log, ``model.safetensors`` and ``result.json``.
        progress: show a bar with the time left.

    Returns:
        What ``result.json`` holds: figures, predictions by TEST heart, the labelled hearts, notes; and as ``reader``
        how clips must be cut and normalised for the model.

    Raises:
        EchoAugmentError: bad settings or data, or ``out`` holds another run.
    """
    out = Path(out)
    done = finished(run, out)
    if done is not None:
        return done
    write_json(out / SETTINGS, {"key": run.key(), **plain(asdict(run))})
    with cpu_threads(run.trainer.get("threads")):
        result = plain({"key": run.key(), **_train(run, out, progress)})
    write_json(out / RESULT, result)
    (out / "fit.ckpt").unlink(missing_ok=True)
    return result


def _train(run: EfRun, out: Path, progress: bool) -> dict[str, Any]:
    recipe, accelerator = run.trainer, make_accelerator(run.device)
    device = accelerator.device
    window = {"length": int(recipe["length"]), "period": int(recipe["period"])}
    scale = channel_scale(run.root, samples=int(recipe["stats_clips"]), **window)
    reader: dict[str, Any] = {
        "root": run.root,
        "target_type": "EF",
        **window,
        **scale,
        "require_tracings": False,
        "on_error": "skip",
    }
    memory = float(recipe["memory_mb"])
    train = DecodedEcho(split="train", pad=recipe["pad"], seed=run.seed, memory_mb=memory, **reader)
    val = DecodedEcho(split="val", clips="all", memory_mb=memory, **reader)
    labels = run.spec.get("labels") or run.labels
    names = [row.name for row in train.rows]
    order = choose_labelled(names, len(names), run.seed)
    known = count_labels(labels, len(names))
    labelled, unlabelled = order[:known], order[known:][: run.unlabelled]
    share = count_labels(run.labels, len(names)) / len(names)
    judges = choose_validation([row.name for row in val.rows], share, run.val_at_least, run.seed)

    place = {name: index for index, name in enumerate(names)}
    caches = {kind: Path(folder) for kind, folder in run.caches.items()}
    real = Subset(train, [place[name] for name in labelled])
    bf16 = use_bf16(str(recipe["precision"]), device)

    def teach(name: str, windows: int) -> Array:
        if name not in run.teachers:
            return no_teacher(name, windows)
        whole = DecodedEcho(split="train", clips="all", **reader)
        teacher = load_net(run.teachers[name]).to(device)
        return predict(teacher, whole, [place[heart] for heart in unlabelled], windows, device, bf16)

    given = TrainingSet(
        real=real,
        labelled=tuple(labelled),
        caches=caches,
        seed=run.seed,
        unlabelled=Subset(train, [place[name] for name in unlabelled]),
        teach=teach,
    )
    dataset = make_arm(run.spec)(given)

    net = make_model(run.model["name"], dict(run.model.get("settings") or {}), run.seed)
    batch_size = min(int(recipe["batch_size"]), len(dataset))
    per_epoch = len(dataset) // batch_size
    steps = int(recipe["steps"] or recipe["epochs"] * per_epoch)
    learner = make_learner(run.spec, net, steps)
    trained = [parameter for parameter in learner.module.parameters() if parameter.requires_grad]
    optimizer = make_optimizer(trained, recipe["optimizer"])

    def loss_fn(module: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        clips, ef = batch
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            predicted = module(clips)
        return learner.loss(predicted.float(), ef.float())

    judged = [index for index, row in enumerate(val.rows) if row.name in set(judges)]

    def validate(module: nn.Module) -> dict[str, float]:
        error = predict(module, val, judged, recipe["val_clips"], device, bf16) - true_ef(val, judged)
        return {"mae": float(np.abs(error).mean())}

    fitted = fit(
        learner.module,
        train_batches(dataset, batch_size, run.seed, int(recipe["workers"])),
        loss_fn,
        steps=steps,
        optimizer=optimizer,
        scheduler=make_scheduler(optimizer, recipe["schedule"], steps, per_epoch),
        out=out,
        name="fit",
        seed=run.seed,
        accelerator=accelerator,
        clip_norm=float(recipe["clip_norm"]),
        validate=validate,
        validate_every=int(recipe["validate_every"] or per_epoch),
        select="mae",
        save_every=max(20, min(100, steps // 4)),
        progress=progress,
    )
    test = DecodedEcho(split="test", clips="all", **reader)
    everyone = list(range(len(test)))
    model = learner.net
    predicted = predict(model, test, everyone, recipe["test_clips"], device, bf16)
    true = true_ef(test, everyone)
    save_model(model, str(out / "model.safetensors"))
    error = np.abs(predicted - true)
    notes = [note] if (note := getattr(model, "note", "")) else []
    return {
        "arm": run.arm,
        "seed": run.seed,
        "reader": {**window, **scale, **video_facts(train.rows)},
        "labelled": labelled,
        "labelled_hearts": len(labelled),
        "unlabelled_hearts": len(unlabelled),
        "train_hearts": len(names),
        "validation_hearts": len(judges),
        "steps": steps,
        "batch_size": batch_size,
        "best_step": fitted.best_step,
        "seconds": fitted.seconds,
        "history": fitted.history,
        "clips": len(source_of(dataset) or ()),
        "fingerprint": str(getattr(source_of(dataset), "fingerprint", "")),
        "test": {"mae": error.mean(), "rmse": math.sqrt(np.square(error).mean()), "r2": r2(true, predicted)},
        "predictions": {
            row.name: [float(one), float(other)] for row, one, other in zip(test.rows, true, predicted, strict=True)
        },
        "notes": notes,
        "skipped": [list(item) for part in (train, val, test) for item in part.skipped],
    }
