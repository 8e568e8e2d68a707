"""One training of an LV segmenter: labelled hearts, an arm, a model, selection on VAL, TEST once."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import Subset

from echo_augment.cache.files import write_json

from .arms import TrainingSet, make_arm, source_of
from .decoded import DecodedEcho
from .ef_parts import channel_scale, cpu_threads, make_accelerator, train_batches, use_bf16
from .ef_run import RESULT, SETTINGS, finished
from .fit import fit
from .optimisers import make_optimizer, make_scheduler
from .reporting import plain
from .seg_measures import measure, scales, summary
from .seg_models import make_segmentation_model
from .seg_overlay import write_overlay
from .seg_parts import TARGETS, ef_bias, judge, predict_traced, segmentation_loss
from .seg_run import SegmentationRun
from .seg_teacher import save_segmenter
from .subsets import choose_labelled, choose_validation, count_labels

SHOWN = 8  # hearts of the overlay picture
Hearts = dict[str, dict[str, Any]]


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
    out = Path(out)
    done = finished(run, out)
    if done is not None:
        return done
    write_json(out / SETTINGS, {"key": run.key(), **plain(asdict(run))})
    with cpu_threads(run.trainer.get("threads")):
        result: dict[str, Any] = plain({"key": run.key(), **_train(run, out, progress)})
    write_json(out / RESULT, result)
    (out / "fit.ckpt").unlink(missing_ok=True)
    return result


def _train(run: SegmentationRun, out: Path, progress: bool) -> dict[str, Any]:
    recipe, accelerator = run.trainer, make_accelerator(run.device)
    device, workers = accelerator.device, int(recipe["workers"])
    # echonet takes mean and deviation from whole clips, of 16 frames and period 2.
    scale = channel_scale(run.root, samples=int(recipe["stats_clips"]), length=16, period=2)
    reader: dict[str, Any] = {"root": run.root, "target_type": TARGETS, "length": 1, "period": 1, **scale}
    reader |= {"require_tracings": True, "on_error": "skip", "memory_mb": float(recipe["memory_mb"])}
    train = DecodedEcho(split="train", seed=run.seed, **reader)
    val = DecodedEcho(split="val", **reader)
    names = [row.name for row in train.rows]
    labelled = choose_labelled(names, count_labels(run.spec.get("labels") or run.labels, len(names)), run.seed)
    share = count_labels(run.labels, len(names)) / len(names)
    judges = set(choose_validation([row.name for row in val.rows], share, run.val_at_least, run.seed))
    judged = [index for index, row in enumerate(val.rows) if row.name in judges]

    place = {name: index for index, name in enumerate(names)}
    caches = {kind: Path(folder) for kind, folder in run.caches.items()}
    real = Subset(train, [place[name] for name in labelled])
    dataset = make_arm(run.spec)(TrainingSet(real=real, labelled=tuple(labelled), caches=caches, seed=run.seed))

    model = make_segmentation_model(run.model["name"], dict(run.model.get("settings") or {}), run.seed)
    batch_size = min(int(recipe["batch_size"]), len(dataset))
    per_epoch = len(dataset) // batch_size
    steps = int(recipe["steps"] or recipe["epochs"] * per_epoch)
    optimizer = make_optimizer(model.parameters(), recipe["optimizer"])
    bf16 = use_bf16(str(recipe["precision"]), device)

    def loss_fn(net: nn.Module, batch: Any) -> dict[str, Tensor]:
        return segmentation_loss(net, batch, device, bf16)

    def validate(net: nn.Module) -> dict[str, float]:
        return judge(net, val, judged, device, bf16, workers)

    fitted = fit(
        model,
        train_batches(dataset, batch_size, run.seed, workers),
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
        select="loss",
        save_every=max(20, min(100, steps // 4)),
        progress=progress,
    )
    test = DecodedEcho(split="test", **reader)
    hearts, size = _test(model, test, run, out, device, bf16)
    bias = ef_bias(model, val, judged, device, bf16, workers)
    rows = [train.rows[place[name]] for name in labelled]
    save_segmenter(out, model, model=run.model, scale=scale, size=size, hearts=rows, ef_bias=bias)
    return {
        "arm": run.arm,
        "seed": run.seed,
        "labelled": labelled,
        "labelled_hearts": len(labelled),
        "train_hearts": len(names),
        "validation_hearts": len(judged),
        "steps": steps,
        "batch_size": batch_size,
        "best_step": fitted.best_step,
        "seconds": fitted.seconds,
        "history": fitted.history,
        "clips": len(source_of(dataset) or ()),
        "fingerprint": str(getattr(source_of(dataset), "fingerprint", "")),
        "test": summary(hearts),
        "predictions": hearts,
        "notes": [note] if (note := getattr(model, "note", "")) else [],
        "skipped": [list(item) for part in (train, val, test) for item in part.skipped],
    }


def _test(
    model: nn.Module, test: DecodedEcho, run: SegmentationRun, out: Path, device: torch.device, bf16: bool
) -> tuple[Hearts, tuple[int, int]]:
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
