"""One training of an EF regressor: labelled hearts, an arm, a model, selection on VAL, TEST once."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_model
from torch import Tensor, nn

from .arms import make_arm, no_teacher
from .decoded import DecodedEcho
from .ef_learners import make_learner
from .ef_models import make_model
from .ef_parts import Array, channel_scale, make_accelerator, predict, r2, true_ef, use_bf16, video_facts
from .ef_run import EfRun
from .ef_teacher import check_teacher, load_net
from .gates.teacher import Teacher
from .training import Pace, choose_hearts, fit_by_recipe, train_once, training_figures, training_set


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
    return train_once(run, out, lambda folder: _train(run, folder, progress))


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
    hearts = choose_hearts(run, train.rows, val.rows)
    bf16 = use_bf16(str(recipe["precision"]), device)

    def folder_of(name: str) -> str:
        folder = run.teachers[name] if name in run.teachers else no_teacher(name)
        check_teacher(folder, hearts.labelled)
        return folder

    def teach(name: str, windows: int) -> Array:
        teacher = load_net(folder_of(name)).to(device)
        whole = DecodedEcho(split="train", clips="all", **reader)
        return predict(teacher, whole, [hearts.places[heart] for heart in hearts.unlabelled], windows, device, bf16)

    def read_clips(name: str) -> Teacher:
        return Teacher.of_run(folder_of(name), device=str(device))

    unlabelled = hearts.of(train, hearts.unlabelled)
    given = training_set(run, hearts, train, unlabelled=unlabelled, teach=teach, reader=read_clips)
    dataset = make_arm(run.spec)(given)
    pace = Pace.of(recipe, len(dataset))
    net = make_model(run.model["name"], dict(run.model.get("settings") or {}), run.seed)
    learner = make_learner(run.spec, net, pace.steps)

    def loss_fn(module: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        clips, ef = batch
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            predicted = module(clips)
        return learner.loss(predicted.float(), ef.float())

    def validate(module: nn.Module) -> dict[str, Any]:
        predicted = predict(module, val, hearts.judged, recipe["val_clips"], device, bf16)
        errors = np.abs(predicted - true_ef(val, hearts.judged))
        return {"mae": float(errors.mean()), "mae_each": torch.from_numpy(errors)}

    how: dict[str, Any] = {"out": out, "accelerator": accelerator, "progress": progress}
    fitted = fit_by_recipe(run, learner.module, dataset, loss_fn, pace=pace, validate=validate, select="mae", **how)
    test = DecodedEcho(split="test", clips="all", **reader)
    everyone = list(range(len(test)))
    model = learner.net
    predicted = predict(model, test, everyone, recipe["test_clips"], device, bf16)
    true = true_ef(test, everyone)
    save_model(model, str(out / "model.safetensors"))
    error = np.abs(predicted - true)
    return {
        **training_figures(run, hearts, dataset, fitted, model, pace=pace, read=(train, val, test)),
        "reader": {**window, **scale, **video_facts(train.rows)},
        "unlabelled_hearts": len(hearts.unlabelled),
        "test": {"mae": error.mean(), "rmse": math.sqrt(np.square(error).mean()), "r2": r2(true, predicted)},
        "predictions": {
            row.name: [float(one), float(other)] for row, one, other in zip(test.rows, true, predicted, strict=True)
        },
    }
