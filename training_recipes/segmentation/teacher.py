"""A trained segmenter as a teacher: its folder, and the callable that draws masks on any clip."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from echo_augment.augmentor.data import VideoInfo
from echo_augment.augmentor.mcdm.fingerprint import digest
from echo_augment.augmentor.mcdm.masks import Masks, largest_piece
from echo_augment.augmentor.mcdm.training_videos import TrainingVideos
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json

from ..training.batches import GreyScale
from ..training.settings import ModelSettings
from .models import make_segmentation_model

WEIGHTS, CARD, FORMAT = "model.safetensors", "segmenter.json", 1
REMEDY = "Give the folder that echo-augment train-segmentation wrote"


class Segmenter:
    """Draws the LV on the frames of a clip.

    Args:
        model: frames ``(B, 3, H, W)`` to logits ``(B, H, W)``.
        mean: mean of the grey values 0-255 that it was trained with, per channel.
        std: their standard deviation likewise.
        size: ``(H, W)`` of the frames it was trained on; others are resized to it, and the masks back.
        fingerprint: hash of its weights.
        labelled: names of the videos whose tracings trained it.
        ef_bias: EF from its masks minus the true EF, the mean over the VAL videos it was selected by, in EF points.
        device: to compute on.
        batch: frames at a time.

    Only the largest piece of each frame's mask is kept, for there is one left ventricle.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        size: tuple[int, int],
        fingerprint: str = "",
        labelled: Sequence[str] = (),
        ef_bias: float = 0.0,
        device: str = "cpu",
        batch: int = 32,
    ) -> None:
        self.model, self.size, self.batch = model.to(device).eval(), size, batch
        self.fingerprint, self.labelled, self.ef_bias = fingerprint, tuple(labelled), ef_bias
        self.device = torch.device(device)
        self._mean = torch.tensor(mean, dtype=torch.float32).reshape(1, -1, 1, 1)
        self._std = torch.tensor(std, dtype=torch.float32).reshape(1, -1, 1, 1)

    def __call__(self, frames: npt.NDArray[np.uint8]) -> Masks:
        """Return the masks ``(T, H, W)`` of uint8 frames ``(T, H, W)``.

        Raises:
            EchoAugmentError: frames of another shape or type.
        """
        if frames.ndim != 3 or frames.dtype != np.uint8:
            raise EchoAugmentError(f"a segmenter takes (T, H, W) uint8 frames, got {frames.shape} {frames.dtype}")
        height, width = frames.shape[1:]
        fitted = frames if (height, width) == self.size else _resize(frames, self.size)
        logits = []
        with torch.no_grad():
            for part in torch.from_numpy(np.ascontiguousarray(fitted)).split(self.batch):
                grey = part[:, None].expand(-1, 3, -1, -1).float()
                logits.append(self.model(((grey - self._mean) / self._std).to(self.device)).float().cpu().numpy())
        found = np.concatenate(logits)
        if (height, width) != self.size:
            found = _resize(found, (height, width))
        return largest_piece(found > 0)


def _resize(stack: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    height, width = size
    how = cv2.INTER_AREA if height < stack.shape[1] else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, (width, height), interpolation=how) for frame in stack])


def save_segmenter(
    folder: Path,
    net: nn.Module,
    *,
    model: ModelSettings,
    scale: GreyScale,
    size: tuple[int, int],
    rows: Sequence[VideoInfo],
    ef_bias: float,
) -> None:
    """Write the weights, what is needed to use them, and which videos trained them (for the leak guard).

    Args:
        folder: gets ``model.safetensors``, ``segmenter.json`` and ``training_hearts.json``.
        net: the trained model.
        model: its name and settings.
        scale: mean and deviation per channel.
        size: ``(H, W)`` of the training frames.
        rows: videos whose tracings trained it.
        ef_bias: see `Segmenter`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_model(net, str(folder / WEIGHTS))
    TrainingVideos.of(row.path for row in rows).write(folder)
    card = {"format": FORMAT, "model": asdict(model), **scale}
    write_json(folder / CARD, {**card, "size": list(size), "ef_bias": ef_bias, "labelled": [row.name for row in rows]})


def load_segmenter(folder: str | Path, *, device: str = "cpu") -> Segmenter:
    """Return the segmenter that ``train-segmentation`` wrote to ``folder``.

    Raises:
        EchoAugmentError: no segmenter there, or it is damaged or of another format.
    """
    folder = Path(folder)
    for name in (CARD, WEIGHTS):
        if not (folder / name).is_file():
            raise EchoAugmentError(f"{folder / name}: is missing", REMEDY)
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise EchoAugmentError(f"{folder / CARD}: has format {card['format']}, this version reads {FORMAT}", REMEDY)
        settings = dict(card["model"]["settings"])
        if "backbone" in settings:
            settings["backbone"] = "random"  # the trained weights follow: nothing to download
        model = make_segmentation_model(card["model"]["name"], settings, 0)
        load_model(model, str(folder / WEIGHTS))
        height, width = (int(side) for side in card["size"])
        made = digest((folder / WEIGHTS).read_bytes(), (folder / CARD).read_bytes())
        return Segmenter(
            model,
            mean=card["mean"],
            std=card["std"],
            size=(height, width),
            fingerprint=made,
            labelled=card["labelled"],
            ef_bias=float(card["ef_bias"]),
            device=device,
        )
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise EchoAugmentError(f"{folder}: is no segmenter that can be read ({error})", REMEDY) from error
