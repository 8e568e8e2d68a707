"""One training of an LV segmenter: labelled videos, an arm, a model, selection on VAL, TEST once."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import Subset

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.data.layouts.finding import DataFiles, DataFolder
from echo_augment.augmentor.mcdm.masks import Masks, largest_piece, mask_ef

from ..arms.specification import make_arm
from ..training.batches import DecodedEcho, channel_scale, loader_of
from ..training.recipe import Pace, choose_videos, fit_by_recipe, train_once, training_figures, training_set
from ..training.setup import share_of, use_bf16
from .measures import MaskFigures, measure, scales, summary
from .models import make_segmentation_model
from .overlay import Overlay, write_overlay
from .run import SegmentationResult, SegmentationRun
from .teacher import Segmenter, save_segmenter

TARGETS = ("LargeFrame", "SmallFrame", "LargeTrace", "SmallTrace")  # echonet's, in its order: ED is large


def traced_videos(root: DataFolder, split: str) -> dict[str, float]:
    """Return the EF in percent (NaN if unknown) by name of the videos of a split that can be read and are traced."""
    data = EchoNetDynamic(root, split, TARGETS, require_tracings=True, on_error="skip")
    return {row.name: row.ef for row in data.rows}


def traced_masks(root: DataFolder, names: Sequence[str], split: str = "train") -> dict[str, Masks]:
    """Return the filled ED tracing ``(H, W)`` of some videos by name; videos without one are left out."""
    data = EchoNetDynamic(root, split, "LargeTrace", length=1, require_tracings=True, on_error="skip")
    wanted = set(names)
    return {row.name: data[place][1] > 0 for place, row in enumerate(data.rows) if row.name in wanted}


def segmentation_loss(net: nn.Module, batch: Any, device: torch.device, bf16: bool) -> dict[str, Tensor]:
    """Return echonet's loss: binary cross-entropy summed over the pixels, the mean of the ED and the ES frames'.

    Args:
        net: frames ``(B, 3, H, W)`` to logits ``(B, H, W)``.
        batch: ``(video, (LargeFrame, SmallFrame, LargeTrace, SmallTrace))``, collated.
        device: of the batch.
        bf16: compute in bfloat16.
    """
    _, (large, small, large_mask, small_mask) = batch
    parts = []
    for frames, masks in ((large, large_mask), (small, small_mask)):
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = net(frames)
        parts.append(binary_cross_entropy_with_logits(logits.float(), masks, reduction="sum"))
    loss = (parts[0] + parts[1]) / 2
    return {"loss": loss, "per_pixel": loss.detach() / large_mask.numel()}


def predict_traced(
    model: nn.Module,
    data: DecodedEcho,
    items: Sequence[int],
    device: torch.device,
    bf16: bool,
    *,
    workers: int = 0,
    batch: int = 20,
) -> Iterator[tuple[npt.NDArray[np.float32], Masks]]:
    """Yield logits ``(2, H, W)`` and traced masks ``(2, H, W)``, ED then ES, of some videos in their order."""
    model.eval()
    loader = loader_of(Subset(data, list(items)), workers, batch_size=batch)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for _, (large, small, large_mask, small_mask) in loader:
            pair = [model(frames.to(device)).float().cpu() for frames in (large, small)]
            logits = torch.stack(pair, 1).numpy()
            masks = (torch.stack([large_mask, small_mask], 1) > 0).numpy()
            yield from zip(logits, masks, strict=True)


def judge(
    model: nn.Module, data: DecodedEcho, items: Sequence[int], device: torch.device, bf16: bool, workers: int = 0
) -> dict[str, float | Tensor]:
    """Return ``loss`` (cross-entropy a pixel; it selects the weights) and ``dice`` over all pixels of some videos.

    ``loss_each`` has the loss of each video, ``(len(items),)``.
    """
    losses, inter, size = [], 0, 0
    for logits, masks in predict_traced(model, data, items, device, bf16, workers=workers):
        target = torch.from_numpy(masks).float()
        losses.append(float(binary_cross_entropy_with_logits(torch.from_numpy(logits), target)))
        inter += int((masks & (logits > 0)).sum())
        size += int(masks.sum() + (logits > 0).sum())
    dice = 2 * inter / size if size else 1.0
    return {"loss": float(np.mean(losses)), "dice": dice, "loss_each": torch.tensor(losses)}


def ef_bias(
    model: nn.Module, data: DecodedEcho, items: Sequence[int], device: torch.device, bf16: bool, workers: int = 0
) -> float:
    """Return EF from a model's masks minus the true EF in EF points, the mean over videos; 0 if none can be read."""
    drawn = predict_traced(model, data, items, device, bf16, workers=workers)
    pairs = zip(items, drawn, strict=True)
    errors = np.array([mask_ef(largest_piece(logits > 0), 0, 1) - data.rows[item].ef for item, (logits, _) in pairs])
    known = errors[np.isfinite(errors)]
    return float(known.mean()) if len(known) else 0.0


SHOWN = 8  # videos in the overlay picture
Judgements = dict[str, MaskFigures]


def train_segmentation(
    run: SegmentationRun, out: str | Path, *, progress: bool = True, together: bool = False
) -> SegmentationResult:
    """Train, select on VAL, test once. Finished runs are read, killed ones go on from their last checkpoint.

    Args:
        run: what to train.
        out: folder of the checkpoint, the log, the segmenter (`load_segmenter`), ``overlay.png`` and ``result.json``.
        progress: show a bar with the time left.
        together: whether the processes of an ``accelerate launch`` share each batch; the first one writes.

    Raises:
        EchoAugmentError: bad settings or data, or ``out`` holds another run.
    """
    return train_once(run, out, partial(_train, run, progress=progress), SegmentationResult, together=together)


def _train(run: SegmentationRun, out: Path, accelerator: Accelerator, *, progress: bool) -> SegmentationResult:
    recipe = run.trainer
    device, workers = accelerator.device, recipe.workers
    # echonet takes mean and deviation from whole clips, of 16 frames and period 2.
    scale = channel_scale(run.data(), samples=recipe.stats_clips, length=16, period=2)
    read = partial(
        DecodedEcho,
        run.data(),
        target_type=TARGETS,
        length=1,
        period=1,
        **scale,
        require_tracings=True,
        on_error="skip",
        memory_mb=float(recipe.memory_mb),
    )
    train = read("train", seed=run.seed)
    val = read("val")
    chosen = choose_videos(run, train.rows, val.rows)
    dataset = make_arm(run.spec)(training_set(run, chosen, train))
    pace = Pace.of(recipe, len(dataset), share_of(accelerator))
    model = make_segmentation_model(run.model.name, run.model.settings, run.seed)
    bf16 = use_bf16(recipe.precision, device)

    def loss_fn(net: nn.Module, batch: Any) -> dict[str, Tensor]:
        return segmentation_loss(net, batch, device, bf16)

    def validate(net: nn.Module) -> dict[str, float | Tensor]:
        return judge(net, val, chosen.judged, device, bf16, workers)

    fitted = fit_by_recipe(
        run,
        model,
        dataset,
        loss_fn,
        pace=pace,
        validate=validate,
        select="loss",
        out=out,
        accelerator=accelerator,
        progress=progress,
    )
    test = read("test")
    judgements, size = _test(model, test, run, out if accelerator.is_main_process else None, device, bf16)
    bias = ef_bias(model, val, chosen.judged, device, bf16, workers)
    rows = [train.rows[chosen.places[name]] for name in chosen.labelled]
    if accelerator.is_main_process:
        save_segmenter(out, model, model=run.model, scale=scale, size=size, rows=rows, ef_bias=bias)
    return SegmentationResult(
        **training_figures(run, chosen, dataset, fitted, model, pace=pace, read=(train, val, test), device=device),
        test=summary(judgements),
        predictions=judgements,
    )


def _test(
    model: nn.Module, test: DecodedEcho, run: SegmentationRun, out: Path | None, device: torch.device, bf16: bool
) -> tuple[Judgements, tuple[int, int]]:
    """Return the figures of every TEST video and the size of a frame; with a folder write ``overlay.png``."""
    scale, figures, masks = scales(run.root), {}, []
    everyone = range(len(test))
    for row, (logits, true) in zip(test.rows, predict_traced(model, test, everyone, device, bf16), strict=True):
        masks.append((np.packbits(logits > 0), np.packbits(true)))
        figures[row.name] = measure(logits > 0, true, row.ef, scale.get(row.name))
        shape = true.shape
    # From the worst to the best, evenly: what goes wrong must be in the picture.
    order = np.argsort([one["dice"] for one in figures.values()])
    shown = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)]
    overlays = []
    for index in map(int, shown):
        name = test.rows[index].name
        predicted, true = (np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape) > 0 for bits in masks[index])
        dice = (figures[name]["dice_ed"], figures[name]["dice_es"])
        overlays.append(Overlay(name, _grey(test, index), predicted, true, dice))
    if out is not None:
        write_overlay(out / "overlay.png", overlays)
    return figures, (int(shape[1]), int(shape[2]))


def measure_traced(segmenter: Segmenter, data: DataFiles) -> Judgements:
    """Return the figures of the masks that a segmenter draws on the traced frames of the TEST videos of a data set.

    Raises:
        EchoAugmentError: no TEST video is traced.
    """
    test = EchoNetDynamic(data, "test", TARGETS, length=1, period=1, require_tracings=True, on_error="skip")
    scale, figures = scales(Path(data.root)), {}
    for place, row in enumerate(test.rows):
        large, small, *masks = test[place][1]
        frames = np.stack([large[0], small[0]]).round().clip(0, 255).astype(np.uint8)
        true = np.stack(masks) > 0
        figures[row.name] = measure(segmenter(frames), true, row.ef, scale.get(row.name))
    return figures


def _grey(test: DecodedEcho, index: int) -> npt.NDArray[np.uint8]:
    """Return the traced frames ``(2, H, W)``, ED and ES, as grey levels 0-255."""
    large, small = test[index][1][:2]
    mean, std = (np.asarray(value, np.float32).reshape(-1)[0] for value in (test.mean, test.std))
    return np.stack([large[0], small[0]] * np.array(std) + mean).clip(0, 255).astype(np.uint8)
