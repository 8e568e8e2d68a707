"""One training of an LV segmenter: labelled hearts, an arm, a model, selection on VAL, TEST once."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from .arms import make_arm
from .decoded import DecodedEcho
from .ef_parts import channel_scale, make_accelerator, use_bf16
from .seg_measures import measure, scales, summary
from .seg_models import make_segmentation_model
from .seg_overlay import write_overlay
from .seg_parts import TARGETS, ef_bias, judge, predict_traced, segmentation_loss
from .seg_run import SegmentationRun
from .seg_teacher import save_segmenter
from .training import Pace, choose_hearts, fit_by_recipe, train_once, training_figures, training_set

SHOWN = 8  # hearts of the overlay picture
Judgements = dict[str, dict[str, Any]]


def train_segmentation(run: SegmentationRun, out: str | Path, *, progress: bool = True) -> dict[str, Any]:
    """Train, select on VAL, test once. Finished runs are read, killed ones go on from their last checkpoint.

    Args:
        run: what to train.
        out: folder of the checkpoint, the log, the segmenter (`load_segmenter`), ``overlay.png`` and ``result.json``.
        progress: show a bar with the time left.

    Returns:
        What ``result.json`` holds: figures, those of every TEST heart, the labelled hearts, notes.

    Raises:
        EchoAugmentError: bad settings or data, or ``out`` holds another run.
    """
    return train_once(run, out, lambda folder: _train(run, folder, progress))


def _train(run: SegmentationRun, out: Path, progress: bool) -> dict[str, Any]:
    recipe, accelerator = run.trainer, make_accelerator(run.device)
    device, workers = accelerator.device, int(recipe["workers"])
    # echonet takes mean and deviation from whole clips, of 16 frames and period 2.
    scale = channel_scale(run.root, samples=int(recipe["stats_clips"]), length=16, period=2)
    reader: dict[str, Any] = {"root": run.root, "target_type": TARGETS, "length": 1, "period": 1, **scale}
    reader |= {"require_tracings": True, "on_error": "skip", "memory_mb": float(recipe["memory_mb"])}
    train = DecodedEcho(split="train", seed=run.seed, **reader)
    val = DecodedEcho(split="val", **reader)
    hearts = choose_hearts(run, train.rows, val.rows)
    dataset = make_arm(run.spec)(training_set(run, hearts, train))
    pace = Pace.of(recipe, len(dataset))
    model = make_segmentation_model(run.model["name"], dict(run.model.get("settings") or {}), run.seed)
    bf16 = use_bf16(str(recipe["precision"]), device)

    def loss_fn(net: nn.Module, batch: Any) -> dict[str, Tensor]:
        return segmentation_loss(net, batch, device, bf16)

    def validate(net: nn.Module) -> dict[str, Any]:
        return judge(net, val, hearts.judged, device, bf16, workers)

    how: dict[str, Any] = {"out": out, "accelerator": accelerator, "progress": progress}
    fitted = fit_by_recipe(run, model, dataset, loss_fn, pace=pace, validate=validate, select="loss", **how)
    test = DecodedEcho(split="test", **reader)
    judgements, size = _test(model, test, run, out, device, bf16)
    bias = ef_bias(model, val, hearts.judged, device, bf16, workers)
    rows = [train.rows[hearts.places[name]] for name in hearts.labelled]
    save_segmenter(out, model, model=run.model, scale=scale, size=size, hearts=rows, ef_bias=bias)
    return {
        **training_figures(run, hearts, dataset, fitted, model, pace=pace, read=(train, val, test)),
        "test": summary(judgements),
        "predictions": judgements,
    }


def _test(
    model: nn.Module, test: DecodedEcho, run: SegmentationRun, out: Path, device: torch.device, bf16: bool
) -> tuple[Judgements, tuple[int, int]]:
    """Figures of every TEST heart, ``overlay.png``, and the size of a frame."""
    scale, hearts, masks = scales(run.root), {}, []
    everyone = range(len(test))
    for row, (logits, true) in zip(test.rows, predict_traced(model, test, everyone, device, bf16), strict=True):
        masks.append((np.packbits(logits > 0), np.packbits(true)))
        hearts[row.name] = measure(logits > 0, true, row.ef, scale.get(row.name))
        shape = true.shape
    # From the worst to the best, evenly: what goes wrong must be in the picture.
    order = np.argsort([heart["dice"] for heart in hearts.values()])
    shown = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)]
    rows = []
    for index in map(int, shown):
        name = test.rows[index].name
        predicted, true = (np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape) > 0 for bits in masks[index])
        rows.append((name, _grey(test, index), predicted, true, (hearts[name]["dice_ed"], hearts[name]["dice_es"])))
    write_overlay(out / "overlay.png", rows)
    return hearts, (int(shape[1]), int(shape[2]))


def _grey(test: DecodedEcho, index: int) -> npt.NDArray[np.uint8]:
    """The traced frames ``(2, H, W)``, ED and ES, as grey levels 0-255."""
    large, small = test[index][1][:2]
    mean, std = (np.asarray(value, np.float32).reshape(-1)[0] for value in (test.mean, test.std))
    return np.stack([large[0], small[0]] * np.array(std) + mean).clip(0, 255).astype(np.uint8)
