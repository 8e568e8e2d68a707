"""The parts of a segmenter's training: traced frames, predictions, the loss."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Subset

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.mcdm.masks import Masks, largest_piece, mask_ef

from .decoded import DecodedEcho

TARGETS = ("LargeFrame", "SmallFrame", "LargeTrace", "SmallTrace")  # echonet's, in its order: ED is large


def traced_hearts(root: str | Path, split: str) -> dict[str, float]:
    """EF in percent (NaN where there is none) by name of the hearts of a split that can be read and are traced."""
    data = EchoNetDynamic(root, split, TARGETS, require_tracings=True, on_error="skip")
    return {row.name: row.ef for row in data.rows}


def traced_masks(root: str | Path, names: Sequence[str], split: str = "train") -> dict[str, Masks]:
    """The filled ED tracing ``(H, W)`` of some hearts by name; hearts without one are left out."""
    data = EchoNetDynamic(root, split, "LargeTrace", length=1, require_tracings=True, on_error="skip")
    wanted = set(names)
    return {row.name: data[place][1] > 0 for place, row in enumerate(data.rows) if row.name in wanted}


def segmentation_loss(net: nn.Module, batch: Any, device: torch.device, bf16: bool) -> dict[str, Tensor]:
    """echonet's loss: binary cross-entropy summed over the pixels, the mean of the ED and the ES frames'.

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
    """Logits ``(2, H, W)`` and traced masks ``(2, H, W)``, ED then ES, of some hearts in their order."""
    model.eval()
    loader = DataLoader(Subset(data, list(items)), batch_size=batch, num_workers=workers)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for _, (large, small, large_mask, small_mask) in loader:
            pair = [model(frames.to(device)).float().cpu() for frames in (large, small)]
            logits = torch.stack(pair, 1).numpy()
            masks = (torch.stack([large_mask, small_mask], 1) > 0).numpy()
            yield from zip(logits, masks, strict=True)


def judge(
    model: nn.Module, data: DecodedEcho, items: Sequence[int], device: torch.device, bf16: bool, workers: int = 0
) -> dict[str, Any]:
    """``loss`` (cross-entropy a pixel, by which weights are selected) and ``dice`` over all pixels of some hearts.

    ``loss_each`` has the loss of each heart, ``(len(items),)``.
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
    """EF from a model's masks minus the true EF in EF points, the mean over some hearts; 0 where none can be read."""
    drawn = predict_traced(model, data, items, device, bf16, workers=workers)
    pairs = zip(items, drawn, strict=True)
    errors = np.array([mask_ef(largest_piece(logits > 0), 0, 1) - data.rows[item].ef for item, (logits, _) in pairs])
    known = errors[np.isfinite(errors)]
    return float(known.mean()) if len(known) else 0.0
